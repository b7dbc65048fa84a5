"""Score the predictions of one model's seeds."""

from argparse import ArgumentParser
from pathlib import Path

from pipeline.config import PARAMS, Layout, load_pipeline
from pipeline.data.description import load_description
from pipeline.evaluation.metrics import all_scores, confusion_table, headline, per_class_table
from pipeline.evaluation.predictions import best_seed, load_predictions
from pipeline.io import run, write_csv, write_json


def main() -> None:
    """Write the metrics, all scores, and the best seed's confusion and per-class tables of the test split."""
    parser = ArgumentParser(prog="python -m stages.evaluate", description=__doc__)
    parser.add_argument("name", help="a model in the parameters")
    parser.add_argument("--params", type=Path, default=PARAMS, help="parameters of the pipeline (default: %(default)s)")
    arguments = parser.parse_args()
    name, layout = arguments.name, Layout.of(arguments.params)
    load_pipeline(arguments.params).get_model(name)

    classes = load_description().classes
    predictions = load_predictions(layout.predictions(name), len(classes), layout.stage("train", name))
    found = all_scores(predictions)
    write_json(layout.metrics_of(name), headline(found))
    write_json(layout.evaluation(name) / "scores.json", found)
    best = predictions["test"].seeds[best_seed(predictions["validation"])]
    for table, build in {"confusion": confusion_table, "per_class": per_class_table}.items():
        write_csv(layout.evaluation(name) / f"{table}.csv", build(best.labels, best.predicted, classes))
    test = found["test"]
    interval = f"{100 * test['accuracy_low']:.2f} to {100 * test['accuracy_high']:.2f} %"
    print(f"{name}: test accuracy {100 * test['accuracy']:.2f} % (95 % interval {interval}), {layout.metrics_of(name)}")


if __name__ == "__main__":
    run(main)
