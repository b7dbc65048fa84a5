"""Which networks would vote well together, by validation data alone: `python -m tools.ensemble_members`.

Begins with the model that votes best by itself, by its kept network or by those of all its seeds, and adds, one at a
time, the one with which the vote is the most accurate: Caruana et al., 2004, "Ensemble selection from libraries of
models", without repetition.
"""

import sys
from argparse import ArgumentParser
from typing import Literal

import numpy as np

from pipeline.dataset.description import read_description
from pipeline.errors import run
from pipeline.evaluation.kinds import MODEL
from pipeline.evaluation.predictions import SeedPredictions, read_predictions
from pipeline.evaluation.soft_voting import networks, soft_vote
from pipeline.params.reading import read_params

SEEDS: tuple[Literal["kept", "all"], ...] = ("kept", "all")


def accuracy(validation: SeedPredictions) -> float:
    """The share of images that the vote gets right."""
    return float(np.mean(validation.predicted == validation.labels))


def main() -> None:
    """Print, for each number of members, which they are and how accurate their vote is."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--most", type=int, default=6, metavar="N", help="members at most (default: 6)")
    most = parser.parse_args(sys.argv[1:]).most
    classes = len(read_description().classes)
    models = {name: read_predictions(MODEL.predictions(name), classes) for name in read_params().models}
    left = {f"{name}: {seeds}": networks(found, seeds) for name, found in models.items() for seeds in SEEDS}
    chosen: dict[str, dict[str, SeedPredictions]] = {}
    while left and len(chosen) < most:
        reached = {name: accuracy(soft_vote(chosen | {name: member})["validation"]) for name, member in left.items()}
        best = max(reached, key=reached.__getitem__)
        chosen[best] = left[best]
        left = {name: member for name, member in left.items() if name.split(":")[0] != best.split(":")[0]}
        print(f"{reached[best]:.2%} with {', '.join(chosen)}")


if __name__ == "__main__":
    run(main)
