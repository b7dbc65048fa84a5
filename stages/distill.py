"""Train one student as `stages.train` trains a model, on the labels and on the answers of its ensemble."""

import sys
from pathlib import Path

from pipeline.dataset.parts import read_parts
from pipeline.errors import run
from pipeline.evaluation.kinds import ENSEMBLE, STUDENT
from pipeline.evaluation.teacher import read_teacher
from pipeline.params.reading import read_params, student_named
from pipeline.training.backend import prepare_backend


def main() -> None:
    """Train the student that the first argument names."""
    name = " ".join(sys.argv[1:])
    settings = read_params()
    params = student_named(settings, name)
    teacher = ENSEMBLE.predictions(params.teacher)
    files = Path("data/prepared.npz"), Path("data/split.npz"), teacher
    data = read_parts(*files[:2])
    answers = read_teacher(teacher, data[0]["train"].labels)
    prepare_backend()
    from pipeline.training.distillation import Distillation  # takes seconds, and so follows the checks
    from pipeline.training.entry import train_entry

    distillation = Distillation(answers, params.temperature, params.weight)
    predictions = STUDENT.predictions(name)
    train_entry(name, params, settings.recipes[params.recipe], data, files, predictions, distillation)


if __name__ == "__main__":
    run(main)
