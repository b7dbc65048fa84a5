"""A sweep from its file to its table, its figures and its winner."""

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pipeline.artifacts import write_csv
from pipeline.errors import InputError
from pipeline.params.reading import read_params
from pipeline.report.figures.png import write_png
from pipeline.sweep.execution import Workplace, in_parallel, run_point, workplace
from pipeline.sweep.experiments import Outcome, Pruned, baseline, finished, read_outcome, winner
from pipeline.sweep.figures import accuracy_by_setting, accuracy_by_value, curves_by_value
from pipeline.sweep.point import Point, grid_points
from pipeline.sweep.schema import Sweep, read_sweep
from pipeline.sweep.table import sweep_table

REPORTS = Path("reports/sweeps")


def run_sweep(path: Path, jobs: int, ray_address: str | None = None) -> None:
    """Run what is left of the sweep at `path`, write its table and figures, and print its winner.

    Raises InputError for a mistake in the file, for changes that are not committed, and for points that fail.
    """
    sweep = read_sweep(path, read_params())
    name = path.stem
    commit = baseline()
    with workplace(name) as place:
        if ray_address is not None:
            results = _grid_on_cluster(name, sweep, commit, ray_address)
        else:
            results = (_search if sweep.search else _grid)(name, sweep, commit, jobs, place)
    outcomes = [result for result in results if isinstance(result, Outcome)]
    if not outcomes:
        raise InputError(f"{path}: found all trials pruned, expected one that ends; let them start or warm up longer")
    best = winner(outcomes)
    folder = REPORTS / name
    _write(folder, sweep, results, outcomes, best)
    print(f"{folder}: table and figures of {len(results)} points")
    print(f"most accurate on validation data: {best.point.label} ({best.validation_accuracy:.2%}); to take it over:")
    print(f"dvc exp apply {best.point.name}")


def _grid(name: str, sweep: Sweep, commit: str, jobs: int, place: Workplace) -> Sequence[Outcome | Pruned]:
    points = grid_points(name, sweep)
    done = finished(commit)
    left = [point for point in points if point.name not in done]
    print(f"{len(points) - len(left)} of {len(points)} points are finished", flush=True)
    in_parallel(jobs, [partial(_run_and_tell, point, commit, place) for point in left], place)
    return [read_outcome(point, commit) for point in points]


def _grid_on_cluster(name: str, sweep: Sweep, commit: str, address: str) -> Sequence[Outcome | Pruned]:
    if sweep.grid is None:
        raise InputError("--ray: found a search, expected a grid: what Optuna draws next depends on what has ended")
    try:
        from pipeline.sweep.cluster import run_on_cluster
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise InputError("--ray: found no Ray, expected it installed; `uv sync --inexact --group ray`") from error
    points = grid_points(name, sweep)
    run_on_cluster(points, commit, address)
    return [read_outcome(point, commit) for point in points]


def _search(name: str, sweep: Sweep, commit: str, jobs: int, place: Workplace) -> Sequence[Outcome | Pruned]:
    try:
        from pipeline.sweep.search import search
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        raise InputError("search: found no Optuna, expected it installed; `uv sync --inexact --group sweep`") from error
    return search(name, sweep, commit, jobs, place)


def _run_and_tell(point: Point, commit: str, place: Workplace) -> None:
    if run_point(point, commit, place):
        accuracy = read_outcome(point, commit).validation_accuracy
        print(f"{point.name}: validation accuracy {accuracy:.2%}", flush=True)


def _write(
    folder: Path, sweep: Sweep, results: Sequence[Outcome | Pruned], outcomes: Sequence[Outcome], best: Outcome
) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # the figures of settings that the file had before
    write_csv(folder / "points.csv", sweep_table(results, best))
    write_png(folder / "accuracy.png", accuracy_by_setting(outcomes, best))
    if sweep.search:
        write_png(folder / "settings.png", accuracy_by_value(outcomes, sweep.search, best))
        return
    for setting in sweep.settings:
        write_png(folder / "curves" / f"{setting}.png", curves_by_value(outcomes, setting, best))
