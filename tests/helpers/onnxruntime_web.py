"""The archive of ONNX Runtime Web, downloaded once for all processes and runs of the tests."""

from pathlib import Path

from filelock import FileLock

from pipeline.publish.browser_runtime import CACHE, fetch_archive
from tests.helpers.clone import ROOT


def shared_archive() -> Path:
    """Return the path of the archive in the folder that `publish` keeps it in."""
    folder = ROOT / CACHE
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "onnxruntime-web.lock"):
        return fetch_archive(folder)
