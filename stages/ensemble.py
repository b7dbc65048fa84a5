"""Average the probabilities of one ensemble's members: ``python -m stages.ensemble NAME``."""

import sys

import numpy as np
import numpy.typing as npt

from pipeline.artifacts import write_npz
from pipeline.dataset.description import read_description
from pipeline.errors import run
from pipeline.evaluation.kinds import ENSEMBLE, MODEL
from pipeline.evaluation.predictions import read_predictions
from pipeline.evaluation.soft_voting import networks, soft_vote, votes_without
from pipeline.params.reading import ensemble_named, read_params


def main() -> None:
    """Write ``data/ensembles/NAME.npz`` in the form of ``data/predictions``, as of one seed."""
    name = " ".join(sys.argv[1:])
    params = ensemble_named(read_params(), name)
    classes = len(read_description().classes)
    members = {
        member: networks(read_predictions(MODEL.predictions(member), classes), seeds)
        for member, seeds in params.members.items()
    }
    voted = soft_vote(members)
    arrays: dict[str, npt.ArrayLike] = {f"{part}_labels": found.labels for part, found in voted.items()}
    arrays |= {f"{part}_probabilities": found.probabilities for part, found in voted.items()}
    write_npz(ENSEMBLE.predictions(name), arrays)
    validation = voted["validation"]
    print(f"validation accuracy {np.mean(validation.predicted == validation.labels):.2%}")
    for member, accuracy in votes_without(members).items():
        print(f"without {member} {accuracy:.2%}")


if __name__ == "__main__":
    run(main)
