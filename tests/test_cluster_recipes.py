"""The recipes for clusters are well formed; nothing here has such a cluster."""

import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.helpers.documentation import code_blocks

PAGE = "docs/sweeps.md"
SLURM = code_blocks(PAGE, "bash")["slurm"]
KUBERAY, SKYPILOT = (YAML(typ="safe").load(code_blocks(PAGE, "yaml")[name]) for name in ("kuberay", "skypilot"))


def ray_options(command: str) -> set[str]:
    """The options of one command of Ray's."""
    from ray.scripts.scripts import cli

    parameters = cli.commands[command].params
    return {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}


@pytest.mark.parametrize("script", [SLURM, SKYPILOT["setup"], SKYPILOT["run"]], ids=["slurm", "setup", "run"])
def test_scripts_are_bash_and_name_options_of_ray(script: str) -> None:
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    joined = script.replace("\\\n", "")
    for command, options in re.findall(r"\bray ([a-z-]+)((?: +--[^;&\n]*)?)", joined):
        assert set(re.findall(r"--[a-z-]+", options)) <= ray_options(command)


def test_kuberay_starts_the_locked_ray_with_one_trial_a_node() -> None:
    assert (KUBERAY["apiVersion"], KUBERAY["kind"]) == ("ray.io/v1", "RayCluster")
    spec = KUBERAY["spec"]
    assert spec["rayVersion"] == version("ray")  # that of uv.lock
    groups: list[Any] = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    assert [group["rayStartParams"] for group in groups] == [{"num-cpus": "1"}] * 2
    assert {f"--{name}" for group in groups for name in group["rayStartParams"]} <= ray_options("start")


@pytest.mark.parametrize("script", [SLURM, SKYPILOT["run"]], ids=["slurm", "skypilot"])
def test_recipes_run_a_sweep_that_is_there(script: str) -> None:
    (sweep,) = re.findall(r'^ *python -m pipeline sweep (\S+) --ray "\$head"$', script, re.MULTILINE)
    assert Path(sweep).exists()
