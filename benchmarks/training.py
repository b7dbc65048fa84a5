"""Time the training of each source architecture: by plain Keras, by plain PyTorch, by this pipeline, in turn."""

import argparse
import json
import os
import subprocess
import sys
import time
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
from pipeline.dataset.parts import Part, read_parts
from pipeline.errors import InputError, run
from pipeline.params.reading import model_named, read_params
from pipeline.params.schema import ModelParams, Params
from pipeline.report.figures.png import write_png

LEAST_BATCHES = 20  # counted; of an epoch with fewer batches, several are
PAUSE = 1.0  # seconds before a training, in which the process before it is gone
INSTALL_PYTORCH = "python -m venv .torch && .torch/bin/pip install torch==2.13.0 numpy"
# On the processor alone, where PyTorch's plain build is.
ENVIRONMENT = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": os.getcwd()}


def arguments(params: Params) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="trainings of each model in each way (default: 3)")
    parser.add_argument("--images", type=int, default=12_000, help="images of an epoch (default: 12,000)")
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


def used_images(params: ModelParams, images: int, part: Part) -> int:
    """Images of an epoch: all of the part where they are one batch, which is what is measured."""
    return len(part.labels) if params.batch_size == "full" else min(images, len(part.labels))


def main() -> None:
    """Train, round by round, and write ``training.csv``, ``training.png`` and the table of the page."""
    params = read_params()
    options = arguments(params)
    models = {name: model_named(params, name) for name in options.models}
    versions = "" if options.without_torch else f", PyTorch {pytorch_version(options.torch_python)}"
    prepared, split = (existing(Path(f"data/{name}.npz"), "split") for name in ("prepared", "split"))
    part = read_parts(prepared, split)[0]["train"]
    ways = [way for way in ("keras", "pytorch", "pipeline") if way != "pytorch" or not options.without_torch]

    rows: list[dict[str, Any]] = []
    with TemporaryDirectory() as folder:
        task: dict[str, Any] = {"classes": len(params.data.classes)}
        for name, model in models.items():
            images = used_images(model, options.images, part)
            write_npz(
                Path(folder, f"{name}.npz"),
                {"images": part.images[:images], "labels": part.labels[:images]},
                compressed=False,
            )
        any_data = str(Path(folder, f"{options.models[0]}.npz"))
        about = in_a_process(
            sys.executable,
            "benchmarks.keras_training",
            task | {"way": "describe", "models": options.models, "data": any_data},
        )
        progress = tqdm(total=options.rounds * len(models) * len(ways), unit="training")
        for number in range(1, options.rounds + 1):
            peak = measured_peak()
            for name, model in models.items():
                images = used_images(model, options.images, part)
                batch_size = images if model.batch_size == "full" else min(model.batch_size, images)
                counted = ceil(LEAST_BATCHES / ceil(images / batch_size))
                network = about["networks"][name]
                of_model = task | {"model": name, "epochs": 1 + counted, "data": str(Path(folder, f"{name}.npz"))}
                for way in ways:
                    progress.set_description(f"round {number}, {name}, {way}")
                    if way == "pytorch":
                        settings = {
                            "optimizer": model.optimizer.model_dump(),
                            "batch_size": batch_size,
                            "seed": model.seed,
                        }
                        found = in_a_process(
                            options.torch_python, "benchmarks.pytorch_training", of_model | settings | network
                        )
                    else:
                        found = in_a_process(sys.executable, "benchmarks.keras_training", of_model | {"way": way})
                    rows.append(
                        {
                            "round": number,
                            "model": name,
                            "way": way,
                            "images": images,
                            "batch_size": batch_size,
                            "epochs": counted,
                            "seconds_per_epoch": sum(found["seconds"][1:]) / counted,
                            "operations_per_epoch": images * training_operations(network["layers"]),
                            "measured_peak": peak,
                            "peak_memory": found["peak_memory"],
                            "loss": found["loss"],
                        }
                    )
                    progress.update()
        progress.close()
    trainings = pd.DataFrame(rows)
    machine = about["machine"]
    note = (
        f"Measured on {machine['processor']}, {machine['cores']} cores, a large matrix product reaching "
        f"{trainings['measured_peak'].median() / 1e9:.0f} GFLOP/s; Python {machine['python']}, Keras "
        f"{machine['keras']} on {machine['backend']}{versions}; {options.rounds} rounds, "
        f"{options.images:,} images an epoch.\n"
    )
    text = f"{comparison_markdown(trainings)}\n{note}"
    print(text)
    write_csv(Path("benchmarks/training.csv"), trainings)
    write_png(Path("benchmarks/training.png"), comparison_figure(trainings))
    put_into_page("training", text)


if __name__ == "__main__":
    run(main)
