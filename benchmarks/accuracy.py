"""Time a training of accurate models by the pipeline, as a share of plain Keras' time for the article's `cnn2`."""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from tqdm import tqdm

from benchmarks.comparison import least
from benchmarks.page import ROUNDS, commit, markdown, put_into_page
from benchmarks.training import describe_networks, make_task, time_training
from pipeline.config import find_model
from pipeline.io import read_json, require_output, run, write_csv

MODELS = ["airbench", "airbench_small", "airbench_long"]
YARDSTICK, YARDSTICK_EPOCHS = "cnn2", 8  # the most accurate of the published models, and its article's epochs


def share(trainings: pd.DataFrame, model: str) -> float:
    """Return the time of all epochs of a model as a share of the yardstick's, each by the least of its rounds.

    `trainings` has one row per training: round, model, framework, seconds_per_epoch, epochs (of a whole training).
    """
    times = {}
    for name, framework in ((model, "pipeline"), (YARDSTICK, "keras")):
        epochs = trainings.loc[trainings["model"] == name, "epochs"].iloc[0]
        times[name] = least(trainings, name, framework) * epochs
    return float(times[model] / times[YARDSTICK])


def share_range(trainings: pd.DataFrame, model: str) -> tuple[float, float]:
    """Return the least and the largest share within a round."""
    shares = [share(of_round, model) for _, of_round in trainings.groupby("round")]
    return min(shares), max(shares)


def accuracy_markdown(trainings: pd.DataFrame) -> str:
    """Format the table: one row per model, with its test accuracy and precision."""
    rows = []
    for model in trainings.loc[trainings["framework"] == "pipeline", "model"].unique():
        row = trainings[trainings["model"] == model].iloc[0]
        low, high = share_range(trainings, model)
        rows.append(
            {
                "Model": f"`{model}`",
                "Test accuracy": f"{row['accuracy']:.2%}",
                "Seeds": f"{row['seeds']:.0f}",
                "Epochs": f"{row['epochs']}",
                "Precision": str(row["precision"]),
                f"Time / `{YARDSTICK}` by Keras in float32": f"{share(trainings, model):.2f} ({low:.2f}–{high:.2f})",
            }
        )
    return markdown(rows)


def main() -> None:
    """Time an epoch of each, round by round, and write ``accuracy.csv`` and the table of the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("models", nargs="*", default=MODELS, help=f"default: {' '.join(MODELS)}")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="trainings of each (default: %(default)s)")
    parser.add_argument("--images", type=int, default=60_000, help="images per epoch (default: all)")
    options = parser.parse_args()
    if YARDSTICK in options.models:
        parser.error(f"found {YARDSTICK}, expected other models: it is what they are compared with")
    if options.rounds < 1 or options.images < 1:
        parser.error("--rounds and --images must be at least 1")
    frameworks = {YARDSTICK: "keras"} | dict.fromkeys(options.models, "pipeline")
    found = {name: find_model(name) for name in frameworks}
    scores = {
        name: read_json(require_output(layout.metrics_of(name), layout.stage("evaluate", name)))
        for name, (layout, _) in found.items()
    }

    rows: list[dict[str, Any]] = []
    with TemporaryDirectory() as folder:
        tasks = {name: make_task(name, model, options.images, Path(folder)) for name, (_, model) in found.items()}
        about = describe_networks(tasks)
        with tqdm(total=options.rounds * len(tasks), unit="training") as progress:
            for number in range(1, options.rounds + 1):
                for name, framework in frameworks.items():
                    row = time_training(framework, tasks[name], {}, "")
                    epochs = YARDSTICK_EPOCHS if name == YARDSTICK else found[name][1].epochs
                    result = {"accuracy": scores[name]["test"]["accuracy"], "seeds": scores[name]["seeds"]}
                    rows.append({"round": number} | row | {"epochs": epochs} | result)
                    progress.update()
    trainings = pd.DataFrame(rows)
    write_csv(Path("benchmarks/accuracy.csv"), trainings)
    machine = about["machine"]
    text = (
        f"{accuracy_markdown(trainings)}\nMeasured at commit {commit()} on {machine['cores']} cores of "
        f"{machine['processor']}, by epochs of {trainings['images'].max():,} images; "
        f"the least of {options.rounds} rounds.\n"
    )
    put_into_page("accuracy", text)
    print(text)


if __name__ == "__main__":
    run(main)
