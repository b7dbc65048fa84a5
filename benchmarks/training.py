"""Time the training of each published model by plain Keras, by plain PyTorch and by this pipeline, in turn."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from tqdm import tqdm

from benchmarks.comparison import comparison_figure, comparison_markdown
from benchmarks.page import ROUNDS, commit, put_into_page
from pipeline.config import Config, load_config, load_published
from pipeline.config_models import ModelConfig
from pipeline.data.dataset import Split, load_dataset
from pipeline.data.description import load_description
from pipeline.io import InputError, require_output, run, write_csv, write_npz
from pipeline.report.figures.style import write_png
from pipeline.training.sampler import batch_size_of

MIN_BATCHES = 20  # counted: by more images per epoch or, where all are too few, by several epochs
PAUSE = 1.0  # seconds before a training, in which the process before it ends
INSTALL_PYTORCH = "python -m venv .torch && .torch/bin/pip install torch==2.13.0 numpy"
# On the CPU alone, which PyTorch's plain build uses.
ENVIRONMENT = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}


@dataclass(frozen=True)
class Task:
    """The training of every framework: `epochs` epochs count, after one that does not, on the images in `data`."""

    name: str
    config: ModelConfig
    images: int
    batch_size: int
    epochs: int
    data: str


def parse_arguments(config: Config) -> argparse.Namespace:
    """Parse and check the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="trainings of each (default: %(default)s)")
    parser.add_argument("--images", type=int, default=3_200, help="least images per epoch (default: %(default)s)")
    parser.add_argument(
        "--models",
        nargs="+",
        default=[name for name in load_published(config.published).models if name in config.models],
        metavar="MODEL",
        help="default: published",
    )
    parser.add_argument(
        "--torch-python", default=sys.executable, metavar="PATH", help="a Python that has PyTorch (default: this one)"
    )
    parser.add_argument("--skip-pytorch", action="store_true", help="leave PyTorch out")
    parsed = parser.parse_args()
    if parsed.rounds < 1 or parsed.images < 1:
        parser.error("--rounds and --images must be at least 1")
    return parsed


def run_process(
    python: str, module: str, task: Mapping[str, Any], environment: Mapping[str, str] = ENVIRONMENT
) -> dict[str, Any]:
    """Run a module on a task in a process of its own.

    Args:
        python: The interpreter.
        module: The module, which reads the task from standard input and prints its result in the last line.
        task: The task, written as JSON.
        environment: Its environment variables.

    Returns:
        The result.

    Raises:
        RuntimeError: The process failed; the message has its output.
    """
    time.sleep(PAUSE)
    done = subprocess.run(  # noqa: S603  # our own modules, by the Python that the user named
        [python, "-m", module],
        input=json.dumps(task),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module} failed\n{done.stdout}\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def pytorch_version(python: str) -> str:
    """Return the version of PyTorch in an environment.

    Raises InputError saying how to install it if there is none.
    """
    command = [python, "-c", "import torch; print(torch.__version__)"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        raise InputError(
            f"--torch-python: found no PyTorch in {python}; install it by `{INSTALL_PYTORCH}` and give "
            ".torch/bin/python, or leave it out by --skip-pytorch"
        ) from error


def load_training_split(config: ModelConfig) -> Split:
    """Load the images that a model trains on.

    Raises InputError naming the stage that makes a missing file.
    """
    prepared = require_output(Path("data/prepared.npz"), "preprocess")
    split = require_output(Path(f"data/splits/{config.split}.npz"), f"split@{config.split}")
    return load_dataset(prepared, split).splits["train"]


def make_task(name: str, config: ModelConfig, images: int, folder: Path) -> Task:
    """Write the first `images` for a model, more if they do not make enough batches, or all if one batch takes all."""
    split = load_training_split(config)
    enough = len(split.labels) if config.batch_size == "full" else MIN_BATCHES * config.batch_size
    images = min(max(images, enough), len(split.labels))
    path = folder / f"{name}.npz"
    write_npz(path, {"images": split.images[:images], "labels": split.labels[:images]}, compressed=False)
    batch_size = batch_size_of(config, images)
    return Task(name, config, images, batch_size, ceil(MIN_BATCHES / ceil(images / batch_size)), str(path))


def describe_networks(tasks: Mapping[str, Task]) -> dict[str, Any]:
    """Return the machine, and each network's layers for PyTorch."""
    task = {
        "framework": "describe",
        "models": list(tasks),
        "classes": len(load_description().classes),
        "data": next(iter(tasks.values())).data,
    }
    return run_process(sys.executable, "benchmarks.keras_training", task)


def time_training(framework: str, task: Task, network: Mapping[str, Any], torch_python: str) -> dict[str, Any]:
    """Train once.

    Args:
        framework: ``keras``, ``keras_50``, ``pytorch`` or ``pipeline``.
        task: What to train.
        network: The network's layers, for PyTorch.
        torch_python: The interpreter that has PyTorch.

    Returns:
        A row of ``training.csv`` without its round.
    """
    settings: dict[str, Any] = {"data": task.data, "epochs": 1 + task.epochs}
    if framework == "pytorch":
        settings["optimizer"] = task.config.optimizer.model_dump()
        settings |= {"batch_size": task.batch_size, "seed": task.config.seeds[0]} | dict(network)
        found = run_process(torch_python, "benchmarks.pytorch_training", settings)
    else:
        settings |= {"framework": framework, "model": task.name}
        as_prepared = ENVIRONMENT | {"TF_ENABLE_ONEDNN_OPTS": "1"}  # by `prepare_backend`
        environment = as_prepared if framework == "pipeline" else ENVIRONMENT
        found = run_process(sys.executable, "benchmarks.keras_training", settings, environment)
    return {
        "model": task.name,
        "framework": framework,
        "images": task.images,
        "batch_size": task.batch_size,
        "epochs": task.epochs,
        "seconds_per_epoch": sum(found["seconds"][1:]) / task.epochs,
        "precision": found.get("precision", "float32"),
        "peak_memory": found["peak_memory"],
        "loss": found["loss"],
    }


def main() -> None:
    """Train, round by round, and write ``training.csv``, ``training.png`` and the table of the page."""
    config = load_config()
    options = parse_arguments(config)
    models = {name: config.get_model(name) for name in options.models}
    versions = [] if options.skip_pytorch else [f"PyTorch {pytorch_version(options.torch_python)}"]
    frameworks = ["keras", "keras_50", *(["pytorch"] if versions else []), "pipeline"]

    rows: list[dict[str, Any]] = []
    with TemporaryDirectory() as folder:
        tasks = {name: make_task(name, model, options.images, Path(folder)) for name, model in models.items()}
        about = describe_networks(tasks)
        with tqdm(total=options.rounds * len(tasks) * len(frameworks), unit="training") as progress:
            for number in range(1, options.rounds + 1):
                for task, framework in product(tasks.values(), frameworks):
                    progress.set_description(f"round {number}, {task.name}, {framework}")
                    row = time_training(framework, task, about["networks"][task.name], options.torch_python)
                    rows.append({"round": number} | row)
                    progress.update()
    trainings = pd.DataFrame(rows)
    write_csv(Path("benchmarks/training.csv"), trainings)
    write_png(Path("benchmarks/training.png"), comparison_figure(trainings))
    machine = about["machine"]
    versions = [f"Python {machine['python']}", f"Keras {machine['keras']} on {machine['backend']}", *versions]
    where = f"{machine['cores']} cores of {machine['processor']}"
    text = (
        f"{comparison_markdown(trainings)}\nMeasured at commit {commit()} on {where}; {', '.join(versions)}; "
        f"the least of {options.rounds} rounds.\n"
    )
    put_into_page("training", text)
    print(text)


if __name__ == "__main__":
    run(main)
