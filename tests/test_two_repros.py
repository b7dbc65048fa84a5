"""Several `dvc repro` at once do not harm each other's results."""

import subprocess
from pathlib import Path

import pytest

from tests.helpers.clone import ENVIRONMENT, clone_working_tree

RESULTS = ["data/prepared.npz", "data/splits/article_d.npz", "data/duplicates.csv"]


@pytest.mark.long
def test_concurrent_repros_do_no_harm(reproduced_folder: Path, tmp_path: Path) -> None:
    clone = clone_working_tree(tmp_path / "clone", ["mlp"])
    targets = ["duplicates", "split@article_d"]
    runs = [
        subprocess.Popen(
            ["dvc", "repro", *targets], cwd=clone.folder, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for run in runs:
        _, said = run.communicate()
        assert run.returncode == 0 or "is busy, it is being blocked by" in said or "Unable to acquire lock" in said
        assert "Traceback" not in said
    clone.dvc("repro", *targets)
    assert clone.run("dvc", "status", *targets).strip() == "Data and pipelines are up to date."
    for name in RESULTS:
        assert (clone.folder / name).read_bytes() == (reproduced_folder / name).read_bytes()
