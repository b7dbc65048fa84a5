"""Run the trials of a grid on a Ray cluster, each as one task. Results come back by git and DVC's remote."""

import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import ray
from ray import cloudpickle
from ray.exceptions import RayError

from pipeline.dvc_modules import Repo
from pipeline.io import InputError
from pipeline.programs import dvc, git
from pipeline.sweep.trials import Trial, finished, git_top, reference
from pipeline.sweep.workspace import LAST_LINES

GIT_REMOTE = "origin"
RETRIES = 5  # of a trial whose node is lost


def run_on_cluster(trials: Sequence[Trial], commit: str, address: str) -> None:
    """Run the trials that neither this repository nor its git remote has, and fetch them all.

    Ray runs a trial again, on another node, when its node is lost.

    Args:
        trials: The trials of a grid.
        commit: The commit that they change.
        address: Address of the Ray cluster.

    Raises:
        InputError: The commit or the data cannot reach the nodes, there is no cluster, or trials fail.
    """
    repository = git_address(commit)
    fetch(commit, trials)
    done = finished(commit)
    missing = [trial for trial in trials if trial.name not in done]
    mistakes = _run(missing, commit, repository, address) if missing else []
    fetch(commit, trials)
    if mistakes:
        raise InputError("\n".join(mistakes))


def git_address(commit: str) -> str:
    """Return the address of the git remote.

    Raises InputError if it does not have the commit, or DVC has no default remote.
    """
    with Repo(".") as here:
        default = here.config["core"].get("remote")
    if default is None:
        raise InputError("DVC: found no default remote, expected one: nodes send their results there (docs/teams.md)")
    git("fetch", "--quiet", GIT_REMOTE)
    if not git("branch", "--remotes", "--list", f"{GIT_REMOTE}/*", "--contains", commit):
        raise InputError(f"git: found {commit[:7]} not on {GIT_REMOTE}, expected it pushed: nodes clone from there")
    return git("remote", "get-url", GIT_REMOTE).strip()


def _run(trials: Sequence[Trial], commit: str, repository: str, address: str) -> list[str]:
    """Run trials on the cluster; return a message for each that failed."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # a node need not have this repository
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise InputError(f"--ray: found no cluster at {address!r}, expected one: {error}") from error
    try:
        task = ray.remote(max_retries=RETRIES, scheduling_strategy="SPREAD")(run_remote_trial)
        _, prefix = git_top()
        names = {}
        for trial in trials:
            experiment = reference(commit, trial.name)
            running = task.remote((repository, str(prefix)), commit, experiment, trial.overrides, trial.stage)
            names[running] = trial.name
        mistakes = []
        while names:
            (ready, *_), _ = ray.wait(list(names))
            name = names.pop(ready)
            try:
                failure = ray.get(ready)
            except RayError as error:
                failure = str(error)
            print(f"{name}: {'failed' if failure else 'finished'}", flush=True)
            mistakes += [f"{name}: {failure}"] if failure else []
        return mistakes
    finally:
        ray.shutdown()


def fetch(commit: str, trials: Sequence[Trial]) -> None:
    """Fetch the trials that the git remote has, and their data from DVC's remote."""
    listed = git("ls-remote", GIT_REMOTE, reference(commit, "*")).split()[1::2]
    names = {trial.name for trial in trials} & {name.rpartition("/")[2] for name in listed}
    if names:
        dvc("exp", "pull", GIT_REMOTE, *sorted(names))


# A node runs the functions below. Ray sends them; they use nothing else of this repository.


def run_remote_trial(
    repository: tuple[str, str], commit: str, experiment: str, overrides: Sequence[str], stage: str
) -> str | None:
    """Run a trial as a DVC experiment in a clean clone. Send its data to DVC's remote, then its reference to git's.

    Nothing runs if the git remote has the reference, as when a node was lost after it had sent it. Whether it takes
    the reference is tried before the training.

    Args:
        repository: Address of the git repository, and the folder inside it that has the pipeline.
        commit: The commit that the trial changes.
        experiment: Git reference of the experiment.
        overrides: Settings for ``dvc exp run``.
        stage: Stage to run.

    Returns:
        The end of the output of a command that failed, or None.
    """
    address, prefix = repository
    with tempfile.TemporaryDirectory(prefix="sweep-") as folder:
        clone = ["git", "clone", "--quiet", "--no-checkout", address, folder]
        place = str(Path(folder, prefix))
        dvc = [sys.executable, "-P", "-m", "dvc"]  # -P: a random.py there is not Python's
        settings = [argument for override in overrides for argument in ("--set-param", override)]
        push = ["git", "push", "--quiet", "origin"]
        commands = [
            (clone, None),
            (["git", "checkout", "--quiet", "--detach", commit], folder),
            ([*push, "--dry-run", f"HEAD:{experiment}"], folder),
            ([*dvc, "exp", "run", "--pull", "--name", experiment.rpartition("/")[2], *settings, stage], place),
            ([*dvc, "push", "--with-deps", stage], place),
            ([*push, f"{experiment}:{experiment}"], folder),
        ]
        if _is_pushed(address, experiment):
            return None
        for command, where in commands:
            done = subprocess.run(  # noqa: S603  # no shell
                command, cwd=where, env=_node_environment(), capture_output=True, text=True, check=False
            )
            if done.returncode and not _is_pushed(address, experiment):
                last = "\n".join((done.stdout + done.stderr).splitlines()[-LAST_LINES:])
                return f"`{' '.join(command)}` ended with status {done.returncode}:\n{last}"
    return None


def _is_pushed(address: str, experiment: str) -> bool:
    listed = subprocess.run(  # noqa: S603  # no shell
        ["git", "ls-remote", address, experiment],  # noqa: S607  # git is the node's
        capture_output=True,
        check=False,
    )
    return bool(listed.stdout)


def _node_environment() -> dict[str, str]:
    """Return the environment without Ray's limits for a task of one core and no GPU: a trial has the whole node."""
    environment = dict(os.environ)
    environment.pop("OMP_NUM_THREADS", None)
    if not environment.get("CUDA_VISIBLE_DEVICES"):
        environment.pop("CUDA_VISIBLE_DEVICES", None)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return environment
