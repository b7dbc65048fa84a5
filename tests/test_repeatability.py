"""The same seed gives the same bits, also when models train side by side."""

import hashlib
from pathlib import Path

from tests.clone import ROOT, Clone, Repro

MODELS = ["dense128", "cnn1", "mlp"]  # compiled by XLA, parts side by side with dropout, large batches


def results(clone: Clone) -> dict[str, str]:
    """SHA-256 of what each model predicts, and of its metrics."""
    files = [file for name in MODELS for file in (f"data/predictions/{name}.npz", f"metrics/{name}.json")]
    return {file: hashlib.sha256((clone.folder / file).read_bytes()).hexdigest() for file in files}


def test_a_clean_clone_that_trains_two_models_at_a_time_gives_the_same_bytes(
    reproduced_folder: Path, fresh_clone: Clone
) -> None:
    (fresh_clone.folder / ".venv").symlink_to(ROOT / ".venv")
    set_up = [f"--old-file=.venv/synced-{device}" for device in ("cpu", "gpu")]  # it has what the tests run with
    done = Repro.printed_in(fresh_clone.run("make", "repro", "JOBS=2", *set_up))
    assert done.ran > {f"{stage}@{name}" for name in MODELS for stage in ("train", "evaluate")}
    assert results(fresh_clone) == results(Clone(reproduced_folder))
    assert fresh_clone.run("dvc", "status").strip() == "Data and pipelines are up to date."
