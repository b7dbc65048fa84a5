"""The command ``sweep``."""

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import _SubParsersAction

DESCRIPTION = """\
Try settings of one model, each as a DVC experiment on the commit that is checked out; choose by validation accuracy.

FILE names the model and either a grid of settings or a search. What is finished is not run again: a sweep that was
killed goes on with the same command. The table and the figures go to reports/sweeps/NAME, for sweeps/NAME.yaml.
"""
EPILOG = """\
examples:
  python -m pipeline sweep sweeps/mlp.yaml
  python -m pipeline sweep sweeps/cnn_grid.yaml --jobs 2
  python -m pipeline sweep sweeps/cnn_grid.yaml --ray 10.0.0.5:6379
"""


def add_sweep(commands: "_SubParsersAction[ArgumentParser]") -> None:
    """Add the command to those that the command line knows."""
    parser = commands.add_parser(
        "sweep",
        help="try settings of a model, each as a DVC experiment",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", type=_sweep_file, help="the sweep, such as sweeps/mlp.yaml")
    parser.add_argument("--jobs", metavar="N", type=_positive, default=1, help="how many points at a time (default: 1)")
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="run the points of a grid on this Ray cluster, such as HOST:6379; results come by git and DVC's remote",
    )
    parser.set_defaults(command=_run)


def _run(arguments: Namespace) -> None:
    """Run the sweep; raises InputError for what the user gave wrong."""
    from pipeline.sweep.run import run_sweep  # its imports take a second, for which other commands need not wait

    run_sweep(arguments.file, arguments.jobs, arguments.ray)


def _sweep_file(value: str) -> Path:
    path = Path(value)
    if not re.fullmatch(r"[a-z][a-z0-9_]*\.yaml", path.name):
        raise ArgumentTypeError(f"found {value!r}, expected NAME.yaml; NAME of small letters, digits and _")
    return path


def _positive(value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise ArgumentTypeError(f"found {value!r}, expected a number of at least 1")
    return int(value)
