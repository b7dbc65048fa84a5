"""Score what the seeds of one model, ensemble or student predicted: ``python -m stages.evaluate NAME``."""

import sys
from pathlib import Path

from pipeline.artifacts import write_csv, write_json
from pipeline.dataset.description import read_description
from pipeline.errors import run
from pipeline.evaluation.confusion import confusion_table, per_class_table
from pipeline.evaluation.intervals import bootstrap_intervals
from pipeline.evaluation.kinds import kind_of
from pipeline.evaluation.predictions import kept_seed, read_predictions
from pipeline.evaluation.scores import mean_scores, scores, standard_deviations
from pipeline.params.reading import check_name, read_params


def main() -> None:
    """Write the metrics of every part, and the confusion and the classes of the test part, those of the kept seed."""
    name = " ".join(sys.argv[1:])
    params = read_params()
    check_name(params, name)
    classes = read_description().classes

    kind = kind_of(params, name)
    predictions = read_predictions(kind.predictions(name), len(classes), kind.maker)
    test = predictions["test"]
    kept = test.seeds[kept_seed(predictions["validation"])]
    each = {
        part: [scores(seed.labels, seed.probabilities) for seed in found.seeds] for part, found in predictions.items()
    }
    metrics = {part: mean_scores(of_seeds) for part, of_seeds in each.items()}
    metrics["test"] |= bootstrap_intervals(test.labels, test.predicted, len(classes)) | standard_deviations(
        each["test"]
    )

    write_json(Path(f"metrics/{name}.json"), {"seeds": len(test.seeds), **metrics})
    evaluation = Path(f"data/evaluation/{name}")
    write_csv(evaluation / "confusion.csv", confusion_table(kept.labels, kept.predicted, classes))
    write_csv(evaluation / "per_class.csv", per_class_table(kept.labels, kept.predicted, classes))


if __name__ == "__main__":
    run(main)
