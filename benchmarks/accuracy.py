"""What accuracy costs: the time of a training by the pipeline, as a share of that of `cnn2` by plain Keras."""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from tqdm import tqdm

from benchmarks.page import markdown, put_into_page, spread
from benchmarks.training import in_a_process, timed, training_data, work_on
from pipeline.artifacts import existing, read_json, write_csv
from pipeline.errors import run
from pipeline.params.reading import model_named, read_params

MODELS = ["resnet", "airbench", "airbench_small", "airbench_long"]
YARDSTICK, EPOCHS = "cnn2", 8  # the most accurate of the articles' systems, and its article's epochs


def shares(trainings: pd.DataFrame, model: str) -> list[float]:
    """For each round, the time of all of the model's epochs divided by that of the yardstick.

    `trainings` has a row a training: round, model, way (``keras``, ``pipeline``), seconds_per_epoch, epochs.
    """
    seconds = trainings.assign(seconds=trainings["seconds_per_epoch"] * trainings["epochs"])
    by_round = seconds.pivot_table(index="round", columns=["way", "model"], values="seconds")
    return (by_round["pipeline", model] / by_round["keras", YARDSTICK]).tolist()


def accuracy_markdown(trainings: pd.DataFrame) -> str:
    """The table: a row a model, with the test accuracy that its metrics have."""
    rows = []
    for model in trainings.loc[trainings["way"] == "pipeline", "model"].unique():
        metrics = read_json(existing(Path(f"metrics/{model}.json"), f"evaluate@{model}"))
        deviation = metrics["test"].get("accuracy_std")
        rows.append(
            {
                "Model": f"`{model}`",
                "Test accuracy": f"{metrics['test']['accuracy']:.2%}" + (f" ± {deviation:.2%}" if deviation else ""),
                "Seeds": str(metrics["seeds"]),
                "Epochs": str(trainings.loc[trainings["model"] == model, "epochs"].iloc[0]),
                f"Time / `{YARDSTICK}` by Keras": spread(shares(trainings, model)),
            }
        )
    return markdown(rows)


def main() -> None:
    """Time an epoch of each, round by round, and write ``accuracy.csv`` and the table of the page."""
    params = read_params()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("models", nargs="*", default=MODELS, help=f"default: {' '.join(MODELS)}")
    parser.add_argument("--rounds", type=int, default=3, help="trainings of each (default: 3)")
    parser.add_argument("--images", type=int, default=48_000, help="images of an epoch (default: 48,000, all)")
    options = parser.parse_args()
    if options.rounds < 1 or options.images < 1:
        parser.error("--rounds and --images are at least 1")
    ways = [(YARDSTICK, "keras", EPOCHS), *((name, "pipeline", 0) for name in options.models)]
    models = {name: model_named(params, name) for name, _, _ in ways}
    part, classes = training_data()

    rows: list[dict[str, Any]] = []
    with TemporaryDirectory() as folder:
        works = {name: work_on(name, model, options.images, part, Path(folder)) for name, model in models.items()}
        task = {"way": "describe", "models": list(models), "classes": classes, "data": works[YARDSTICK].data}
        about = in_a_process(sys.executable, "benchmarks.keras_training", task)
        with tqdm(total=options.rounds * len(ways), unit="training") as progress:
            for number in range(1, options.rounds + 1):
                for name, way, epochs in ways:
                    found = timed(way, works[name], about["networks"][name], classes, sys.executable)
                    rows.append({"round": number} | found | {"epochs": epochs or models[name].epochs})
                    progress.update()
    trainings = pd.DataFrame(rows)
    write_csv(Path("benchmarks/accuracy.csv"), trainings)
    text = accuracy_markdown(trainings)
    put_into_page("accuracy", text)
    print(text)


if __name__ == "__main__":
    run(main)
