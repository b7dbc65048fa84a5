"""Where the pipeline's time goes in networks with convolutions: into which of oneDNN's kernels, and between them."""

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.page import markdown, put_into_page
from benchmarks.training import ENVIRONMENT, training_data, work_on
from pipeline.errors import run
from pipeline.params.reading import model_named, read_params
from pipeline.training.execution import usable_cores

IMAGES = 3_200
EPOCHS = 2
KINDS = {
    "forward_training": "convolution forward",
    "backward_data": "its gradient of the input",
    "backward_weights": "its gradient of the weights",
}
PRODUCTS = "matrix products"
OTHERS = "other kernels"


def kernel_milliseconds(lines: Iterable[str]) -> dict[str, float]:
    """Add up what oneDNN says of each kernel that it ran, by kind, in milliseconds.

    A line is ``onednn_verbose,v1,primitive,exec,cpu,convolution,jit:avx2,backward_data,…,0.125``.
    """
    found: dict[str, float] = defaultdict(float)
    for line in lines:
        if line.startswith("onednn_verbose") and ",exec," in line:
            fields = line.strip().split(",")
            start = fields.index("exec")
            primitive, direction = fields[start + 2], fields[start + 4]
            kind = PRODUCTS if primitive in ("gemm_api", "matmul", "inner_product") else OTHERS
            found[KINDS.get(direction, OTHERS) if primitive == "convolution" else kind] += float(fields[-1])
    return found


def main() -> None:
    """Profile each model that is named, and put the table into the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernels", description=__doc__)
    parser.add_argument("models", nargs="*", default=["cnn1", "cnn2", "cnn_shi", "lenet5", "lenet5_relu"])
    part, classes = training_data()
    rows = []
    with TemporaryDirectory() as folder:
        for name in parser.parse_args().models:
            work = work_on(name, model_named(read_params(), name), IMAGES, part, Path(folder))
            task = {"way": "pipeline", "model": name, "classes": classes, "data": work.data, "epochs": EPOCHS}
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.keras_training"],
                input=json.dumps(task),
                env=ENVIRONMENT | {"ONEDNN_VERBOSE": "profile_exec"},
                capture_output=True,
                text=True,
                check=True,
            )
            *lines, last = done.stdout.splitlines()
            batches = ceil(work.images / work.batch_size)
            step = 1000 * json.loads(last)["seconds"][-1] / batches
            spent = {kind: ms / EPOCHS / batches / usable_cores() for kind, ms in kernel_milliseconds(lines).items()}
            kinds = [*KINDS.values(), PRODUCTS, OTHERS]
            rows.append(
                {"Model": f"`{name}`", "a step, ms": f"{step:.1f}"}
                | {kind: f"{spent.get(kind, 0):.1f}" for kind in kinds}
                | {"between the kernels": f"{step - sum(spent.values()):.1f}"}
            )
    text = f"{markdown(rows)}\nMilliseconds of each of the {usable_cores()} cores.\n"
    put_into_page("kernels", text)
    print(text)


if __name__ == "__main__":
    run(main)
