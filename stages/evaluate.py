"""Score what one model predicted: ``python -m stages.evaluate NAME``."""

import sys
from pathlib import Path

from pipeline.artifacts import write_csv, write_json
from pipeline.dataset.description import read_description
from pipeline.errors import run
from pipeline.evaluation.confusion import confusion_counts, confusion_table, per_class_table
from pipeline.evaluation.intervals import bootstrap_intervals
from pipeline.evaluation.predictions import read_predictions
from pipeline.evaluation.scores import scores
from pipeline.params.reading import model_named, read_params


def main() -> None:
    """Write the metrics of every part, and the confusion and the classes of the test part."""
    name = " ".join(sys.argv[1:])
    model_named(read_params(), name)
    classes = read_description().classes

    predictions = read_predictions(Path(f"data/predictions/{name}.npz"), len(classes))
    test = predictions["test"]
    intervals = bootstrap_intervals(confusion_counts(test.labels, test.predicted, len(classes)))
    metrics = {part: scores(found.labels, found.probabilities) for part, found in predictions.items()}

    write_json(Path(f"metrics/{name}.json"), metrics | {"test": metrics["test"] | intervals})
    evaluation = Path(f"data/evaluation/{name}")
    write_csv(evaluation / "confusion.csv", confusion_table(test.labels, test.predicted, classes))
    write_csv(evaluation / "per_class.csv", per_class_table(test.labels, test.predicted, classes))


if __name__ == "__main__":
    run(main)
