"""What is evaluated: models, ensembles of them, and students of those; where each kind's predictions lie."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.params.schema import Params


@dataclass(frozen=True)
class Kind:
    """Its name, the folder of its predictions, the stage that writes them, and the stage that scores them."""

    name: str
    folder: str
    maker: str
    evaluator: str

    def predictions(self, name: str, data: Path = Path("data")) -> Path:
        """The archive of what `name` predicts."""
        return data / self.folder / f"{name}.npz"


MODEL = Kind("model", "predictions", "train", "evaluate")
ENSEMBLE = Kind("ensemble", "ensembles", "ensemble", "evaluate_ensemble")
STUDENT = Kind("student", "students", "distill", "evaluate_student")


def kind_of(params: Params, name: str) -> Kind:
    """The kind of `name`, which is one of the names of `params`."""
    if name in params.ensembles:
        return ENSEMBLE
    return STUDENT if name in params.students else MODEL
