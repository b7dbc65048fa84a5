"""A folder as training and evaluation leave it, with random predictions, for tests of the report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.config import Layout, Published
from pipeline.config_models import AdaptiveOptimizer, ModelConfig
from pipeline.data.duplicates import duplicates_table
from pipeline.data.formats.idx import read_images, read_labels
from pipeline.evaluation.metrics import confusion_table
from pipeline.evaluation.predictions import SeedPredictions, best_seed, load_predictions
from pipeline.io import read_json, read_npz, write_csv, write_json, write_npz
from pipeline.report.page.data import Source, load_source
from pipeline.report.results import load_result

MODELS = {"cnn1": 4.0, "dense128": 3.0, "mlp": 2.5, "single_layer": 1.0}  # and by how much the correct class stands out
SEEDS = {"cnn1": 3, "mlp": 2}  # of others one
CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
RUN = {"backend": "jax", "device": "CPU:0", "processor": "Model T", "cores": 2}
CONFIG = ModelConfig(
    architecture="dense",
    split="standard",
    recipe="plain",
    optimizer=AdaptiveOptimizer(name="adam", learning_rate=1e-3),
    batch_size=32,
    epochs=3,
    seeds=[0],
)


def write_small_run(raw: Path, data: Path, models: Mapping[str, float] = MODELS) -> None:
    """Write the images of the IDX files in `raw`, one validation image in five, and the predictions of `models`."""
    prepared = {
        f"{split}_{kind}": read(raw / f"{file}-{kind}-idx{dimensions}-ubyte")
        for split, file in {"train": "train", "test": "t10k"}.items()
        for kind, read, dimensions in (("images", read_images, 3), ("labels", read_labels, 1))
    }
    for split in ("train", "test"):
        prepared[f"{split}_images"] = prepared[f"{split}_images"][..., np.newaxis]
    prepared["test_images"][7] = prepared["train_images"][3]  # an exact duplicate
    prepared["test_labels"][7] = prepared["train_labels"][3]
    everything = np.arange(len(prepared["train_labels"]))
    indices = {"train": everything[everything % 5 > 0], "validation": everything[everything % 5 == 0]}
    write_npz(data / "prepared.npz", prepared)
    write_json(data / "dataset.json", {"classes": CLASSES, "background": "dark"})
    write_npz(data / "splits/standard.npz", indices | {"offset": np.float32(0), "scale": np.float32(255)})
    write_csv(data / "duplicates.csv", duplicates_table(prepared["train_images"], prepared["test_images"]))
    labels = {split: prepared["train_labels"][index] for split, index in indices.items()} | {
        "test": prepared["test_labels"]
    }
    for seed, (name, margin) in enumerate(models.items()):
        write_model(data, name, labels, (margin, np.random.default_rng(seed)))


def write_model(
    data: Path,
    name: str,
    labels: Mapping[str, npt.NDArray[np.uint8]],
    drawn: tuple[float, np.random.Generator],
) -> None:
    """Write the predictions, curves and run of a model, from a margin of the correct class and a generator."""
    margin, generator = drawn
    arrays: dict[str, npt.NDArray[Any]] = {}
    seeds = list(range(SEEDS.get(name, 1)))
    for split, of_split in labels.items():
        noise = generator.normal(size=(len(seeds), len(of_split), len(CLASSES)))
        logits = noise + margin * np.eye(len(CLASSES))[of_split]
        probabilities = np.exp(2 * logits) / np.exp(2 * logits).sum(axis=2, keepdims=True)
        arrays |= {f"{split}_labels": of_split, f"{split}_probabilities": probabilities.astype(np.float32)}
    write_npz(data / f"predictions/{name}.npz", arrays)
    validation = SeedPredictions(arrays["validation_labels"], arrays["validation_probabilities"])
    losses = {"loss": [0.9, 0.6, 0.5], "val_loss": [0.8, 0.7, 0.75]}
    accuracies = {"accuracy": [0.6, 0.7, 0.8], "val_accuracy": [0.5, 0.7, 0.6]}
    write_csv(data / f"curves/{name}.csv", pd.DataFrame({"epoch": [1, 2, 3], **losses, **accuracies}))
    length = {"parameters": int(1000 * margin), "epochs": 3, "best_epoch": 2, "seconds_per_epoch": 1 / margin}
    of_seeds = {"seed": best_seed(validation), "seeds": [{"seed": seed} for seed in seeds]}
    write_json(data / f"runs/{name}.json", RUN | length | of_seeds)


def small_source(
    data: Path,
    models: Sequence[str],
    classes: Sequence[str] = CLASSES,
    configs: Mapping[str, ModelConfig] | None = None,
) -> Source:
    """Evaluate what `write_small_run` wrote, under the class names given, and load all of it."""
    for name in models:
        predictions = load_predictions(data / f"predictions/{name}.npz", len(classes), f"train@{name}")
        test = predictions["test"].seeds[best_seed(predictions["validation"])]
        table = confusion_table(test.labels, test.predicted, classes)
        write_csv(data / f"evaluation/{name}/confusion.csv", table)
    published = {models[0]: Published(article="C", claim="91.6 %", accuracy=0.916)}
    configs = configs or dict.fromkeys(models, CONFIG)
    results = [load_result(Layout(data), name, configs[name], classes) for name in models]
    return load_source(results, published, data)


def best_on_test(data: Path, name: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Read labels and the best seed's probabilities of a model's test split straight from its files."""
    arrays = read_npz(data / f"predictions/{name}.npz")
    return arrays["test_labels"], arrays["test_probabilities"][read_json(data / f"runs/{name}.json")["seed"]]


def correct_on_test(data: Path, name: str) -> npt.NDArray[np.bool_]:
    """Read which test images each seed classifies correctly, (seeds, n), straight from the archive."""
    arrays = read_npz(data / f"predictions/{name}.npz")
    return np.asarray(arrays["test_probabilities"].argmax(axis=2) == arrays["test_labels"])
