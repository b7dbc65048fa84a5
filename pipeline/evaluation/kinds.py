"""What is evaluated: models, ensembles of them, and students of those; where each kind's predictions lie."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.params.schema import Params


@dataclass(frozen=True)
class Kind:
    """The folder of a kind's predictions, the stage that writes them, and the stage that scores them."""

    folder: str
    maker: str
    evaluator: str

    def predictions(self, name: str, data: Path = Path("data")) -> Path:
        """The archive of what `name` predicts."""
        return data / self.folder / f"{name}.npz"


MODEL = Kind("predictions", "train", "evaluate")
ENSEMBLE = Kind("ensembles", "ensemble", "evaluate_ensemble")
STUDENT = Kind("students", "distill", "evaluate_student")


def kind_of(params: Params, name: str) -> Kind:
    """The kind of `name`, which is one of the names of `params`."""
    if name in params.ensembles:
        return ENSEMBLE
    return STUDENT if name in params.students else MODEL
