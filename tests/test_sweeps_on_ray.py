"""A grid on a Ray cluster of two nodes, one of which is killed while a trial runs there.

What nodes would miss is refused in test_sweep_repositories.py.
"""

import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from tests.helpers.clone import ENVIRONMENT, Clone

pytest.importorskip("ray", reason="Ray is not installed: `uv sync --inexact --locked --group ray`")

SWEEP = "sweeps/mlp.yaml"
GRID = "model: mlp\ngrid:\n  layers: [1, 2]\n  units: [32]\n"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Ray head that runs nothing; the test adds nodes."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own
        from ray.cluster_utils import Cluster

        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        yield cluster
        cluster.shutdown()


def with_remotes(clone: Clone, folder: Path) -> None:
    """Give the clone a git remote and a DVC remote that have all it has."""
    (clone.folder / SWEEP).write_text(GRID)
    clone.run("git", "init", "--quiet", "--bare", str(folder / "git"))
    clone.run("git", "remote", "add", "origin", str(folder / "git"))
    clone.run("dvc", "remote", "add", "--default", "folder", str(folder / "dvc"))
    clone.commit("Remotes and a small sweep")
    clone.run("git", "push", "--quiet", "origin", "main")
    clone.run("dvc", "push")


def experiments(repository: Path) -> list[str]:
    command = ["git", "-C", str(repository), "for-each-ref", "--format=%(refname)", "refs/exps/*/*/*"]
    return sorted(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


def running(node: Any) -> bool:
    """Whether a process of the node runs an experiment."""
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    with suppress(psutil.NoSuchProcess):  # of the children, one may end meanwhile
        return any("--pull" in child.cmdline() for child in raylet.children(recursive=True))
    return False


def kill(cluster: Any, node: Any) -> None:
    """Kill the node and all that it has started, as a power cut does."""
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    processes = raylet.children(recursive=True)
    cluster.remove_node(node, allow_graceful=False)
    for process in processes:
        if process.is_running():
            process.kill()


@pytest.mark.long
def test_a_killed_node_loses_nothing(clone: Clone, cluster: Any, tmp_path: Path) -> None:
    with_remotes(clone, tmp_path)
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    command = [sys.executable, "-m", "pipeline", "sweep", SWEEP]
    on_ray = [*command, "--ray", cluster.address]
    with subprocess.Popen(
        on_ray, cwd=clone.folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        while not all(running(node) for node in nodes):
            assert process.poll() is None, process.communicate()
            time.sleep(0.1)
        kill(cluster, nodes[0])
        printed, _ = process.communicate()
    assert process.returncode == 0, printed

    table = pd.read_csv(clone.folder / "reports/sweeps/mlp/trials.csv")
    assert experiments(clone.folder) == experiments(tmp_path / "git")
    assert len(experiments(clone.folder)) == len(table) == 2
    shown = clone.run("dvc", "exp", "show", "--csv")
    assert all(name in shown for name in table["experiment"])
    best = table["experiment"][table["is_best"]].item()
    clone.run("dvc", "exp", "apply", best)  # with its data
    assert clone.run("dvc", "status", "evaluate@mlp").strip() == "Data and pipelines are up to date."
    clone.run("git", "restore", ".")
    assert "finished" not in clone.run(*on_ray)  # no trial runs again

    for name in table["experiment"]:
        clone.run("dvc", "exp", "remove", name)
    clone.run("dvc", "gc", "--workspace", "--force")  # and its results with it
    assert "0 of 2 trials are finished" in clone.run(*command)
    assert pd.read_csv(clone.folder / "reports/sweeps/mlp/trials.csv").equals(table)
