"""A folder as training and evaluation leave it, with predictions drawn at random: for tests of the page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pipeline.dataset.duplicates import duplicates_table
from pipeline.dataset.idx import read_images, read_labels

from pipeline.config import Published
from pipeline.evaluation.confusion import confusion_table
from pipeline.evaluation.predictions import SeedPredictions, kept_seed, read_predictions
from pipeline.io import read_json, read_npz, write_csv, write_json, write_npz
from pipeline.report.page.source import Source, read_source
from pipeline.report.results import read_result

MODELS = {"cnn1": 4.0, "dense128": 3.0, "mlp": 2.5, "single_layer": 1.0}  # and how much the right class stands out
SEEDS = {"cnn1": 3, "mlp": 2}  # of others one
CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
RUN = {"backend": "jax", "device": "CPU:0", "processor": "Model T", "cores": 2}


def write_small_run(raw: Path, data: Path, models: Mapping[str, float] = MODELS) -> None:
    """Write the images of the IDX files in `raw`, one validation image in five, and what `models` make of them."""
    prepared = {
        f"{part}_{kind}": read(raw / f"{file}-{kind}-idx{dimensions}-ubyte")
        for part, file in {"train": "train", "test": "t10k"}.items()
        for kind, read, dimensions in (("images", read_images, 3), ("labels", read_labels, 1))
    }
    for part in ("train", "test"):
        prepared[f"{part}_images"] = prepared[f"{part}_images"][..., np.newaxis]
    prepared["test_images"][7] = prepared["train_images"][3]  # an exact duplicate
    prepared["test_labels"][7] = prepared["train_labels"][3]
    everything = np.arange(len(prepared["train_labels"]))
    split = {"train": everything[everything % 5 > 0], "validation": everything[everything % 5 == 0]}
    write_npz(data / "prepared.npz", prepared | {"offset": np.float32(0), "scale": np.float32(255)})
    write_json(data / "dataset.json", {"classes": CLASSES, "background": "dark"})
    write_npz(data / "split.npz", split)
    write_csv(data / "duplicates.csv", duplicates_table(prepared["train_images"], prepared["test_images"]))
    labels = {part: prepared["train_labels"][index] for part, index in split.items()} | {
        "test": prepared["test_labels"]
    }
    for seed, (name, margin) in enumerate(models.items()):
        _write_model(data, name, labels, margin, np.random.default_rng(seed))


def _write_model(
    data: Path, name: str, labels: dict[str, npt.NDArray[np.uint8]], margin: float, generator: np.random.Generator
) -> None:
    arrays: dict[str, npt.NDArray[Any]] = {}
    seeds = list(range(SEEDS.get(name, 1)))
    for part, of_part in labels.items():
        noise = generator.normal(size=(len(seeds), len(of_part), len(CLASSES)))
        logits = noise + margin * np.eye(len(CLASSES))[of_part]
        probabilities = np.exp(2 * logits) / np.exp(2 * logits).sum(axis=2, keepdims=True)
        arrays |= {f"{part}_labels": of_part, f"{part}_probabilities": probabilities.astype(np.float32)}
    write_npz(data / f"predictions/{name}.npz", arrays)
    validation = SeedPredictions(arrays["validation_labels"], arrays["validation_probabilities"])
    losses = {"loss": [0.9, 0.6, 0.5], "val_loss": [0.8, 0.7, 0.75]}
    shares = {"accuracy": [0.6, 0.7, 0.8], "val_accuracy": [0.5, 0.7, 0.6]}
    write_csv(data / f"curves/{name}.csv", pd.DataFrame({"epoch": [1, 2, 3], **losses, **shares}))
    length = {"parameters": int(1000 * margin), "epochs": 3, "best_epoch": 2, "seconds_per_epoch": 1 / margin}
    of_seeds = {"seed": kept_seed(validation), "seeds": [{"seed": seed} for seed in seeds]}
    write_json(data / f"runs/{name}.json", RUN | length | of_seeds)


def small_source(data: Path, models: Sequence[str], classes: Sequence[str] = CLASSES) -> Source:
    """Evaluate what `write_small_run` wrote, under the class names given, and read it all."""
    for name in models:
        predictions = read_predictions(data / f"predictions/{name}.npz", len(classes))
        test = predictions["test"].seeds[kept_seed(predictions["validation"])]
        table = confusion_table(test.labels, test.predicted, classes)
        write_csv(data / f"evaluation/{name}/confusion.csv", table)
    claims = {models[0]: Published(article="C", claim="91.6 %", accuracy=0.916)}
    return read_source([read_result(name, classes, data) for name in models], claims, data)


def of_test(data: Path, name: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Labels and the kept seed's probabilities of a model's test part, straight from its files."""
    arrays = read_npz(data / f"predictions/{name}.npz")
    return arrays["test_labels"], arrays["test_probabilities"][read_json(data / f"runs/{name}.json")["seed"]]
