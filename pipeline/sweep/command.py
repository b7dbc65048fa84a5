"""Run the command ``sweep``: from a sweep's file to its table, its figures and its best trial.

What takes seconds to import is imported when a sweep runs, since other commands need not wait for it.
"""

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.io import InputError
from pipeline.programs import dependency_group

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from pipeline.sweep.trials import PrunedTrial, Trial
    from pipeline.sweep.workspace import Workspace

REPORTS = Path("reports/sweeps")
DESCRIPTION = """\
Try settings of one model, each as a DVC experiment on the commit that is checked out; choose by validation accuracy.

FILE names the model and either a grid of settings or a search. Finished trials are not run again: the same command
resumes a sweep that was killed. The table and the figures of sweeps/NAME.yaml go to reports/sweeps/NAME.
"""
EPILOG = """\
examples:
  python -m pipeline sweep sweeps/mlp.yaml
  python -m pipeline sweep sweeps/cnn_grid.yaml --jobs 2
  python -m pipeline sweep sweeps/cnn_grid.yaml --ray 10.0.0.5:6379
"""


def add_sweep(commands: "_SubParsersAction[ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "sweep",
        help="try settings of a model, each as a DVC experiment",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", type=_sweep_file, help="the sweep, such as sweeps/mlp.yaml")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--jobs", metavar="N", type=_positive, default=1, help="how many trials at a time (default: 1)")
    where.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="run the trials of a grid on this Ray cluster, such as HOST:6379; results come by git and DVC's remote",
    )
    parser.set_defaults(command=run_sweep)


def run_sweep(arguments: Namespace) -> None:
    """Run the trials that are left of a sweep, write its table and figures, and print its best trial.

    Raises InputError for a mistake in the file, for changes that are not committed, and for trials that fail.
    """
    from pipeline.sweep.config import load_sweep
    from pipeline.sweep.report import write_report
    from pipeline.sweep.trials import Trial, TrialResult, baseline, best_result, grid_trials, read_result
    from pipeline.sweep.workspace import open_workspace

    path, jobs = arguments.file, arguments.jobs
    sweep, layout = load_sweep(path)
    name = path.stem
    template = Trial(name, sweep.model, {}, layout)
    commit = baseline()
    if sweep.search and arguments.ray is not None:
        raise InputError("--ray: found a search, expected a grid: Optuna samples by what has ended")
    with open_workspace(name) as workspace:
        results: Sequence[TrialResult | PrunedTrial]
        if sweep.search:
            with dependency_group("sweep", "search"):
                from pipeline.sweep.search import run_search
            results = run_search(template, sweep.search, commit, jobs, workspace)
        else:
            trials = grid_trials(template, sweep.grid or {})
            if arguments.ray is None:
                _run_grid(trials, commit, jobs, workspace)
            else:
                with dependency_group("ray", "--ray"):
                    from pipeline.sweep.cluster import run_on_cluster
                run_on_cluster(trials, commit, arguments.ray)
            results = [read_result(trial, commit) for trial in trials]
    ended = [result for result in results if isinstance(result, TrialResult)]
    if not ended:
        raise InputError(f"{path}: found all trials pruned, expected one that ends; raise startup_trials or first")
    best = best_result(ended)
    folder = REPORTS / name
    write_report(folder, sweep, results, best)
    print(f"{folder}: table and figures of {len(results)} trials")
    print(f"best on validation data: {best.trial.label} ({best.validation_accuracy:.2%}); to apply it:")
    print(f"dvc exp apply {best.trial.name}")


def _run_grid(trials: "Sequence[Trial]", commit: str, jobs: int, workspace: "Workspace") -> None:
    """Run the trials that have no experiment on the commit yet."""
    from pipeline.sweep.trials import finished, read_result
    from pipeline.sweep.workspace import run_parallel, run_trial

    def run(trial: "Trial") -> None:
        if run_trial(trial, commit, workspace):
            print(f"{trial.name}: validation accuracy {read_result(trial, commit).validation_accuracy:.2%}", flush=True)

    done = finished(commit)
    left = [trial for trial in trials if trial.name not in done]
    print(f"{len(trials) - len(left)} of {len(trials)} trials are finished", flush=True)
    run_parallel(jobs, [partial(run, trial) for trial in left], workspace)


def _sweep_file(value: str) -> Path:
    path = Path(value)
    if not re.fullmatch(r"[a-z][a-z0-9_]*\.yaml", path.name):
        raise ArgumentTypeError(f"found {value!r}, expected NAME.yaml; NAME of small letters, digits and _")
    return path


def _positive(value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise ArgumentTypeError(f"found {value!r}, expected a number of at least 1")
    return int(value)
