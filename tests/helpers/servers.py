"""The servers that a team keeps its data on, on loopback: OpenSSH's and an S3-compatible one, rclone's."""

import getpass
import os
import re
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

DEADLINE = 60  # seconds for a server to start


class SshServer(NamedTuple):
    """OpenSSH's server: ``HOST:PORT``, and the user and private key that it lets in."""

    address: str
    user: str
    key: Path


class S3Server(NamedTuple):
    """An S3-compatible server: its URL and the pair of keys that it lets in."""

    endpoint: str
    access_key: str
    secret_key: str


@contextmanager
def ssh_server(folder: Path) -> Iterator[SshServer]:
    """Run `sshd` as the current user, who may log in with a key made for it; all its files lie in `folder`."""
    for name in ("host_key", "user_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "sshd_config"
    config.write_text(
        f"""ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
"""
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd locks up what is not logged in yet
    with running(["/usr/sbin/sshd", "-D", "-e", "-f", config], folder / "sshd.log", r"Server listening on"):
        yield SshServer(f"127.0.0.1:{port}", getpass.getuser(), folder / "user_key")


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Run `rclone serve s3` on `folder`, whose subfolders are the buckets; it checks each request's signature."""
    access_key, secret_key = secrets.token_hex(10), secrets.token_hex(20)
    command: list[str | Path] = ["rclone", "serve", "s3", folder, "--config", "", "--addr", "127.0.0.1:0"]
    keys = {"RCLONE_AUTH_KEY": f'"{access_key},{secret_key}"'}
    with running(command, folder.with_suffix(".log"), r"server on \[(http://\S+?)/?\]", keys) as endpoint:
        yield S3Server(endpoint, access_key, secret_key)


@contextmanager
def running(
    command: list[str | Path], log: Path, ready: str, environment: dict[str, str] | None = None
) -> Iterator[str]:
    """Run a server until the end of the `with`; gives the last group that `ready` matches in its log."""
    with (
        log.open("w") as output,
        subprocess.Popen(command, stdout=output, stderr=output, env=os.environ | (environment or {})) as server,
    ):
        try:
            deadline = time.monotonic() + DEADLINE
            while not (found := re.search(ready, log.read_text())):
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield found[found.lastindex or 0]
        finally:
            server.terminate()
