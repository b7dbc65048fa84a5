"""The dependency audit on the lock of this repository, with a real HTTP server that plays the OSV database."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.clone import ENVIRONMENT, ROOT
from tests.json_server import JsonHandler, serving

FLAW: dict[str, Any] = {
    "id": "GHSA-0000-0000-0000",
    "summary": "Reads what it should not.",
    "affected": [
        {
            "package": {"name": "pillow", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "999"}]}],
        }
    ],
}


class Database(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("localhost", 0), Handler)
        self.flawed: set[str] = set()
        self.asked: set[str] = set()


class Handler(JsonHandler):
    server: Database

    def do_POST(self) -> None:  # noqa: N802  # the base class's name
        name = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]["name"]
        self.server.asked.add(name)
        self.answer(200, {"vulns": [FLAW]} if name in self.server.flawed else {})


@pytest.fixture
def database() -> Iterator[Database]:
    server = Database()
    with serving(server):
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def audit(folder: Path, port: int, *options: str) -> subprocess.CompletedProcess[str]:
    address = f"http://localhost:{port}/v1/query"
    return subprocess.run(
        [sys.executable, ROOT / "tools/audit_dependencies.py", "--osv-url", address, *options],
        cwd=folder,
        env=ENVIRONMENT | {"PIP_AUDIT_CACHE_DIR": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_locked_package_is_looked_up(database: Database, folder: Path) -> None:
    done = audit(folder, database.server_port)
    assert done.returncode == 0, done.stderr
    assert "No known vulnerabilities in " in done.stdout
    assert {"keras", "tensorflow", "tensorflow-cpu", "pytest", "ruff"} <= database.asked


def test_a_vulnerability_fails_until_it_is_ignored(database: Database, folder: Path) -> None:
    database.flawed = {"pillow"}
    done = audit(folder, database.server_port)
    assert done.returncode == 1
    assert "pillow" in done.stderr
    assert "GHSA-0000-0000-0000, fixed in 999: Reads what it should not." in done.stderr
    assert audit(folder, database.server_port, "--ignore-vuln", "GHSA-0000-0000-0000").returncode == 0


def test_without_the_database_the_hashes_stand_alone(folder: Path) -> None:
    done = audit(folder, port=1)
    assert done.returncode == 0, done.stderr
    assert "each file of" in done.stdout
    assert "Skipped: the database cannot be reached" in done.stdout


def test_a_file_without_a_hash_fails(folder: Path) -> None:
    lock = (folder / "uv.lock").read_text()
    first = lock.index(', hash = "sha256:')
    (folder / "uv.lock").write_text(lock[:first] + lock[lock.index('"', first + 10) + 1 :])
    done = audit(folder, port=1)
    assert done.returncode == 1
    assert "error: uv.lock: found no SHA-256 for absl-py" in done.stderr
