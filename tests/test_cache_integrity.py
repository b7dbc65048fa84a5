"""A changed file in DVC's cache or in a remote is found as docs/troubleshooting.md says, and made or refused anew."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from tests.helpers.clone import ENVIRONMENT, Clone
from tests.helpers.documentation import run_page


def tamper(cache: Path, path: Path) -> None:
    """Flip a bit of the object that holds the content of `path`, read-only as it is."""
    digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    stored = cache / "files/md5" / digest[:2] / digest[2:]
    content = bytearray(stored.read_bytes())
    content[len(content) // 2] ^= 1
    stored.chmod(0o644)
    stored.write_bytes(content)
    stored.chmod(0o444)


def test_a_changed_object_is_found_and_made_again(clone: Clone) -> None:
    scores, images = (
        clone.folder / "data" / name for name in ("evaluation/mlp/per_class.csv", "raw/t10k-images-idx3-ubyte")
    )
    before = scores.read_bytes()
    for path in (scores, images):
        tamper(clone.folder / ".dvc/cache", path)
    scores.unlink()  # the page's first commands restore it, as it is in the cache

    printed = run_page(clone, "docs/troubleshooting.md")

    assert scores.read_bytes() != before
    status = " ".join(printed["check-cache"].split())
    assert "not in cache: data/evaluation/mlp/per_class.csv" in status
    assert "not in cache: data/raw" in status
    assert clone.dvc("repro", "evaluate@mlp").ran == {"download", "evaluate@mlp"}  # and not the stages between them
    assert scores.read_bytes() == before


def test_a_changed_object_of_a_remote_is_not_pulled(clone: Clone, tmp_path: Path) -> None:
    clone.run("dvc", "remote", "add", "--default", "storage", str(tmp_path / "storage"))
    clone.run("dvc", "remote", "modify", "storage", "verify", "true")
    clone.run("dvc", "push", "split@article_d")
    tamper(tmp_path / "storage", clone.folder / "data/splits/article_d.npz")
    shutil.rmtree(clone.folder / ".dvc/cache")
    (clone.folder / "data/splits/article_d.npz").unlink()
    pull = ["dvc", "pull", "split@article_d"]
    pulled = subprocess.run(pull, cwd=clone.folder, env=ENVIRONMENT, check=False, capture_output=True, text=True)
    assert pulled.returncode != 0
    assert "failed to pull data" in pulled.stderr
    assert not (clone.folder / "data/splits/article_d.npz").exists()
