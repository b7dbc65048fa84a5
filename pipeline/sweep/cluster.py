"""The points of a grid on a Ray cluster: each a plain task, whose results come back by git and DVC's remote."""

import logging
from collections.abc import Sequence

import ray
from dvc.repo import Repo
from ray import cloudpickle
from ray.exceptions import RayError

from pipeline.errors import InputError
from pipeline.programs import dvc, git
from pipeline.sweep import remote_point
from pipeline.sweep.experiments import finished, reference
from pipeline.sweep.point import Point

GIT_REMOTE = "origin"
RETRIES = 5  # of a point whose node is lost


def run_on_cluster(points: Sequence[Point], commit: str, address: str) -> None:
    """Run those of `points` that neither this repository nor its git remote has, and fetch them all.

    Ray runs a point again, elsewhere, when its node is lost.

    Raises InputError if the commit or the data cannot reach the nodes, the cluster is not there, or points fail.
    """
    repository = _shared(commit)
    _fetch(commit, points)
    missing = [point for point in points if point.name not in finished(commit)]
    mistakes = _run(missing, commit, repository, address) if missing else []
    _fetch(commit, points)
    if mistakes:
        raise InputError("\n".join(mistakes))


def _shared(commit: str) -> str:
    """The address of the git remote, which has the commit; DVC has a default remote.

    Raises InputError for what is missing.
    """
    with Repo(".") as here:
        default = here.config["core"].get("remote")
    if default is None:
        raise InputError("DVC: found no default remote, expected one: nodes send their results there (docs/teams.md)")
    git("fetch", "--quiet", GIT_REMOTE)
    if not git("branch", "--remotes", "--contains", commit).strip():
        raise InputError(f"git: found {commit[:7]} not on {GIT_REMOTE}, expected it pushed: nodes clone from there")
    return git("remote", "get-url", GIT_REMOTE).strip()


def _run(points: Sequence[Point], commit: str, repository: str, address: str) -> list[str]:
    """What failed, a message a point."""
    cloudpickle.register_pickle_by_value(remote_point)  # a node need not have this repository
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise InputError(f"--ray: found no cluster at {address!r}, expected one: {error}") from error
    try:
        task = ray.remote(max_retries=RETRIES, scheduling_strategy="SPREAD")(remote_point.run_remote_point)
        names = {}
        for point in points:
            place = reference(commit, point.name)
            running = task.remote(repository, commit, place, point.overrides, f"evaluate@{point.model}")
            names[running] = point.name
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


def _fetch(commit: str, points: Sequence[Point]) -> None:
    """Bring those of the points that the git remote has, with their data, which DVC's remote has."""
    listed = git("ls-remote", GIT_REMOTE, reference(commit, "*")).split()[1::2]
    names = {point.name for point in points} & {name.rpartition("/")[2] for name in listed}
    if names:
        dvc("exp", "pull", GIT_REMOTE, *sorted(names))
