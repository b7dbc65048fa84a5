"""Time the training of each source architecture: by plain Keras, by plain PyTorch, by this pipeline, in turn."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from tqdm import tqdm

from benchmarks.comparison import comparison_figure, comparison_markdown
from benchmarks.operations import measured_peak, training_operations
from benchmarks.page import put_into_page
from pipeline.artifacts import existing, write_csv, write_npz
from pipeline.dataset.description import read_description
from pipeline.dataset.parts import Part, read_parts
from pipeline.errors import InputError, run
from pipeline.params.reading import model_named, read_params
from pipeline.params.schema import ModelParams, Params
from pipeline.report.figures.png import write_png
from pipeline.training.batches import batch_size_of

LEAST_BATCHES = 20  # counted: by more images an epoch and, where all are too few, by several epochs
PAUSE = 1.0  # seconds before a training, in which the process before it is gone
INSTALL_PYTORCH = "python -m venv .torch && .torch/bin/pip install torch==2.13.0 numpy"
# On the processor alone, where PyTorch's plain build is.
ENVIRONMENT = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}


def arguments(params: Params) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="trainings of each model in each way (default: 3)")
    parser.add_argument("--images", type=int, default=12_000, help="least images of an epoch (default: 12,000)")
    parser.add_argument(
        "--models", nargs="+", default=list(params.report.claims), metavar="MODEL", help="default: all with a claim"
    )
    parser.add_argument(
        "--torch-python", default=sys.executable, metavar="PATH", help="a Python that has PyTorch (default: this one)"
    )
    parser.add_argument("--without-torch", action="store_true", help="leave PyTorch out")
    parsed = parser.parse_args()
    if parsed.rounds < 1 or parsed.images < 1:
        parser.error("--rounds and --images are at least 1")
    return parsed


def in_a_process(python: str, module: str, task: dict[str, Any]) -> dict[str, Any]:
    """Run `module` on `task` in a process of its own.

    Raises RuntimeError with all that it printed when it fails.
    """
    time.sleep(PAUSE)
    done = subprocess.run(  # noqa: S603  # our own modules, by the Python that the user named
        [python, "-m", module], input=json.dumps(task), env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{module} failed\n{done.stdout}\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def pytorch_version(python: str) -> str:
    """Version of the PyTorch that `python` has.

    Raises InputError saying how to install it if there is none.
    """
    command = [python, "-c", "import torch; print(torch.__version__)"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        raise InputError(
            f"--torch-python: found no PyTorch in {python}, expected one; `{INSTALL_PYTORCH}` makes "
            ".torch/bin/python, --without-torch leaves it out"
        ) from error


def training_data() -> tuple[Part, int]:
    """The training part, and how many classes there are.

    Raises InputError naming the stage that makes what is absent.
    """
    prepared, split = (existing(Path(f"data/{name}.npz"), "split") for name in ("prepared", "split"))
    return read_parts(prepared, split)[0]["train"], len(read_description().classes)


@dataclass(frozen=True)
class Work:
    """What is trained on in each way: `counted` epochs after one that is not, of the images in the file `data`."""

    name: str
    params: ModelParams
    images: int
    batch_size: int
    counted: int
    data: str


def work_on(name: str, params: ModelParams, images: int, part: Part, folder: Path) -> Work:
    """Write the images for one model: the first `images`, as many more as make enough batches, or all if one batch."""
    least = len(part.labels) if params.batch_size == "full" else LEAST_BATCHES * params.batch_size
    images = min(max(images, least), len(part.labels))
    path = folder / f"{name}.npz"
    write_npz(path, {"images": part.images[:images], "labels": part.labels[:images]}, compressed=False)
    batch_size = batch_size_of(params, images)
    counted = ceil(LEAST_BATCHES / ceil(images / batch_size))
    return Work(name, params, images, batch_size, counted, str(path))


def timed(way: str, work: Work, network: Mapping[str, Any], classes: int, torch_python: str) -> dict[str, Any]:
    """Train once; gives the figures of a row of ``training.csv``."""
    task: dict[str, Any] = {"data": work.data, "epochs": 1 + work.counted}
    if way == "pytorch":
        settings = {
            "optimizer": work.params.optimizer.model_dump(),
            "batch_size": work.batch_size,
            "seed": work.params.seeds[0],
        }
        found = in_a_process(torch_python, "benchmarks.pytorch_training", task | settings | dict(network))
    else:
        settings = {"way": way, "model": work.name, "classes": classes}
        found = in_a_process(sys.executable, "benchmarks.keras_training", task | settings)
    return {
        "model": work.name,
        "way": way,
        "images": work.images,
        "batch_size": work.batch_size,
        "epochs": work.counted,
        "seconds_per_epoch": sum(found["seconds"][1:]) / work.counted,
        "operations_per_epoch": work.images * training_operations(network["layers"]),
        "peak_memory": found["peak_memory"],
        "loss": found["loss"],
    }


def main() -> None:
    """Train, round by round, and write ``training.csv``, ``training.png`` and the table of the page."""
    params = read_params()
    options = arguments(params)
    models = {name: model_named(params, name) for name in options.models}
    pytorch = [] if options.without_torch else [f"PyTorch {pytorch_version(options.torch_python)}"]
    ways = ["keras", *(["pytorch"] if pytorch else []), "pipeline"]
    part, classes = training_data()

    rows: list[dict[str, Any]] = []
    with TemporaryDirectory() as folder:
        works = [work_on(name, model, options.images, part, Path(folder)) for name, model in models.items()]
        task = {"way": "describe", "models": list(models), "classes": classes, "data": works[0].data}
        about = in_a_process(sys.executable, "benchmarks.keras_training", task)
        with tqdm(total=options.rounds * len(works) * len(ways), unit="training") as progress:
            for number in range(1, options.rounds + 1):
                of_round = {"round": number, "measured_peak": measured_peak()}
                for work, way in product(works, ways):
                    progress.set_description(f"round {number}, {work.name}, {way}")
                    network = about["networks"][work.name]
                    rows.append(of_round | timed(way, work, network, classes, options.torch_python))
                    progress.update()
    trainings = pd.DataFrame(rows)
    write_csv(Path("benchmarks/training.csv"), trainings)
    write_png(Path("benchmarks/training.png"), comparison_figure(trainings))
    text = f"{comparison_markdown(trainings)}\n{conditions(trainings, about['machine'], pytorch)}"
    put_into_page("training", text)
    print(text)


def conditions(trainings: pd.DataFrame, machine: Mapping[str, Any], pytorch: Sequence[str]) -> str:
    """A line on the machine, the versions and the length of the run."""
    peak = trainings["measured_peak"].median() / 1e9
    versions = [f"Python {machine['python']}", f"Keras {machine['keras']} on {machine['backend']}", *pytorch]
    return (
        f"Measured on {machine['cores']} cores of {machine['processor']}, on which a large matrix product reaches "
        f"{peak:.0f} GFLOP/s; {', '.join(versions)}; rounds: {trainings['round'].max()}, images an epoch: "
        f"{trainings['images'].min():,}.\n"
    )


if __name__ == "__main__":
    run(main)
