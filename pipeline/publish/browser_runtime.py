"""Fetch ONNX Runtime Web, which runs models in browsers, from the npm registry."""

import os
import tarfile
from base64 import b64encode
from hashlib import sha512
from pathlib import Path
from typing import NamedTuple

import requests
from tqdm import tqdm

from pipeline.io import InputError, atomic_write

VERSION = "1.30.0"
# What the registry publishes as the package's integrity.
INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
REGISTRY = "https://registry.npmjs.org"
# The build for the CPU alone, the smallest: its script holds all but the WebAssembly.
SCRIPT, WASM = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
CACHE = Path(".dvc/tmp")  # ignored by git and by DVC
TIMEOUTS = (10, 30)  # seconds to connect, and from one packet to the next
BLOCK = 2**18  # bytes


class Runtime(NamedTuple):
    """ONNX Runtime Web: a script that sets the global variable ``ort``, and its WebAssembly."""

    script: str
    wasm: bytes


def load_runtime(cache: Path = CACHE) -> Runtime:
    """Load ONNX Runtime Web. Its archive is downloaded where the folder `cache` has none.

    Raises InputError if it cannot be downloaded, or has another content than `INTEGRITY` says.
    """
    with tarfile.open(fetch_archive(cache)) as archive:
        script, wasm = (_read(archive, f"package/dist/{name}") for name in (SCRIPT, WASM))
    return Runtime(_as_global(script.decode()), wasm)


def fetch_archive(cache: Path) -> Path:
    """Return the path of the archive, downloaded unless the folder has it already. Raises InputError as above."""
    path = cache / f"onnxruntime-web-{VERSION}.tgz"
    if not path.exists() or _integrity(path) != INTEGRITY:
        registry = os.environ.get("NPM_CONFIG_REGISTRY", REGISTRY)  # npm's own variable
        with atomic_write(path) as temporary:
            _download(f"{registry.rstrip('/')}/onnxruntime-web/-/{path.name}", temporary)
    return path


def _download(address: str, path: Path) -> None:
    try:
        with requests.get(address, stream=True, timeout=TIMEOUTS) as response, path.open("wb") as file:
            response.raise_for_status()
            length = response.raw.length_remaining
            with tqdm(desc=path.name, total=length, unit="B", unit_scale=True, disable=None) as bar:
                for block in response.iter_content(BLOCK):
                    bar.update(file.write(block))
    except requests.RequestException as error:
        advice = "connect to the network, or name a mirror of npm's registry in NPM_CONFIG_REGISTRY"
        raise InputError(f"{address}: cannot be downloaded: {error}; {advice}") from error
    if (found := _integrity(path)) != INTEGRITY:
        raise InputError(f"{address}: found {path.stat().st_size:,} bytes of {found}, expected {INTEGRITY}")


def _integrity(path: Path) -> str:
    return f"sha512-{b64encode(sha512(path.read_bytes()).digest()).decode()}"


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    if member is None:
        raise KeyError(name)
    return member.read()


def _as_global(script: str) -> str:
    """Turn the module's exports into the global variable ``ort``: no script can import one that is in the same page."""
    body, _, exports = script.rpartition("export{")
    names = [pair.split(" as ") for pair in exports.partition("}")[0].split(",")]
    return f"{body}globalThis.ort={{{','.join(f'{name}:{local}' for local, name in names)}}};\n"
