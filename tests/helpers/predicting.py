"""Commands that predict, and models of one layer for them to run."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from onnx import TensorProto, helper, numpy_helper
from ruamel.yaml import YAML

from pipeline.__main__ import main
from pipeline.io import run
from tests.helpers.clone import ROOT

Pixels = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]

CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


class Printed(NamedTuple):
    """Output of a command."""

    status: int
    output: str
    error: str


def weights_of(seed: int, classes: int = 10, scale: float = 0.001) -> Probabilities:
    generator = np.random.default_rng(seed)
    return generator.normal(scale=scale, size=(784, classes)).astype(np.float32)


def write_onnx(path: Path, weights: Probabilities, output: str = "probabilities", channels: int = 1) -> None:
    """Write a network of one softmax layer with the inputs and outputs of the models that training writes."""
    nodes = [
        helper.make_node("Flatten", ["pixels"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], [output]),
    ]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 28, 28, channels])
    probabilities = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", weights.shape[1]])
    graph = helper.make_graph(
        nodes, "network", [pixels], [probabilities], [numpy_helper.from_array(weights, "weights")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())


def write_lock(path: Path, prepared: Path, *models: str) -> None:
    """Write what DVC records of trainings on these images."""
    md5 = hashlib.md5(prepared.read_bytes(), usedforsecurity=False).hexdigest()
    read = [{"path": path, "hash": "md5", "md5": md5, "size": 1} for path in ("data/prepared.npz", "stages/train.py")]
    YAML().dump({"stages": {f"train@{name}": {"cmd": "python", "deps": read} for name in models}}, path)


def softmax(images: Pixels, weights: Probabilities) -> Probabilities:
    powers = np.exp(images.reshape(len(images), -1).astype(np.float64) @ weights)
    probabilities: Probabilities = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities


def predict_here(*arguments: str | Path) -> int:
    """The exit status of the command, run in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["pipeline", "predict", *map(str, arguments)])
        try:
            run(main)
        except SystemExit as exit_:
            return int(exit_.code or 0)
    return 0


def predict_outside(folder: Path, *arguments: str, **environment: str) -> Printed:
    """The command as a user types it."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "predict", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return Printed(done.returncode, done.stdout, done.stderr)


def documents(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def shares(document: dict[str, Any]) -> list[float]:
    assert list(document["probabilities"]) == CLASSES
    return list(document["probabilities"].values())
