"""What the report knows of ensembles, and all results together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.evaluation.kinds import ENSEMBLE, STUDENT
from pipeline.params.schema import EnsembleParams, Params
from pipeline.report.results import Result, Run, TrainedResult, check_confusion, read_predictions_of, read_result


@dataclass(frozen=True)
class EnsembleResult(Result):
    """An ensemble: what it votes, and of each member the run and how many of its networks vote."""

    votes: Sequence[tuple[Run, int]]

    @property
    def parameters(self) -> int:
        """Those of all networks that vote."""
        return sum(run.parameters * networks for run, networks in self.votes)

    @property
    def seconds_per_epoch(self) -> float:
        """Those of an epoch of each network that votes, one after the other."""
        return sum(run.seconds_per_epoch * networks for run, networks in self.votes)


def read_results(params: Params, classes: Sequence[str], data: Path = Path("data")) -> list[Result]:
    """Read what the models, the ensembles and the students of `params` predict, in this order, from `data`.

    Raises InputError naming a file that is absent and the stage that makes it, or what is wrong in one.
    """
    models = {name: read_result(name, classes, data) for name in params.models}
    ensembles = [read_ensemble(name, of, models, classes, data) for name, of in params.ensembles.items()]
    students = [read_result(name, classes, data, STUDENT) for name in params.students]
    return [*models.values(), *ensembles, *students]


def read_ensemble(
    name: str,
    params: EnsembleParams,
    models: Mapping[str, TrainedResult],
    classes: Sequence[str],
    data: Path = Path("data"),
) -> EnsembleResult:
    """Read the files of one ensemble of `models` in `data`: its predictions and confusion.

    Raises InputError naming a file that is absent and the stage that makes it, or what is wrong in one.
    """
    votes = [
        (models[member].run, len(models[member].right) if seeds == "all" else 1)
        for member, seeds in params.members.items()
    ]
    predictions = read_predictions_of(name, classes, data, ENSEMBLE)
    result = EnsembleResult(name, classes, ENSEMBLE, predictions, votes)
    check_confusion(result, data)
    return result
