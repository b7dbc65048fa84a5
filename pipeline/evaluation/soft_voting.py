"""An ensemble: networks that vote with their probabilities."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from pipeline.errors import InputError
from pipeline.evaluation.predictions import PARTS, SeedPredictions, kept_seed

Parts = Mapping[str, SeedPredictions]


def networks(predictions: Parts, seeds: Literal["kept", "all"]) -> dict[str, SeedPredictions]:
    """A member's networks that vote, by part: that of the seed that is kept, or those of all seeds."""
    if seeds == "all":
        return dict(predictions)
    kept = kept_seed(predictions["validation"])
    return {part: SeedPredictions(found.labels, found.probabilities[[kept]]) for part, found in predictions.items()}


def soft_vote(members: Mapping[str, Parts]) -> dict[str, SeedPredictions]:
    """The mean of the probabilities of all networks of the members, each as much as another: one answer an image.

    That is what networks of different seeds are averaged by in Lakshminarayanan, Pritzel and Blundell, 2017, "Simple
    and scalable predictive uncertainty estimation using deep ensembles".

    Raises InputError naming a member that predicts for other images than the first.
    """
    first, *others = members
    for name in others:
        for part in PARTS:
            if not np.array_equal(members[name][part].labels, members[first][part].labels):
                raise InputError(f"member {name}: found other {part}_labels than those of {first}, expected the same")
    voted = {}
    for part in PARTS:
        probabilities = np.concatenate([member[part].probabilities for member in members.values()])
        mean = probabilities.mean(axis=0, keepdims=True, dtype=np.float64).astype(np.float32)
        voted[part] = SeedPredictions(members[first][part].labels, mean)
    return voted


def votes_without(members: Mapping[str, Parts]) -> dict[str, float]:
    """For each member, the accuracy on the validation part that the others reach; none where there are no others."""
    found = {}
    for left_out in members if len(members) > 1 else ():
        others = soft_vote({name: member for name, member in members.items() if name != left_out})["validation"]
        found[left_out] = float(np.mean(others.predicted == others.labels))
    return found
