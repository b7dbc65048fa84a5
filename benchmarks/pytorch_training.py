"""Train once by plain PyTorch, as a tutorial does. Any environment with PyTorch and NumPy will do.

Reads a task as JSON from standard input and prints the result as JSON in the last line.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.memory import peak_memory

ACTIVATIONS = {"relu": [nn.ReLU], "tanh": [nn.Tanh], "linear": [], "softmax": []}  # the loss includes the softmax


class RBF(nn.Module):  # type: ignore[misc]  # PyTorch is not in this environment
    """Radial basis function units, as logarithms: the loss applies the softmax."""

    def __init__(self, features: int, units: int, gamma: float) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.empty(units, features).uniform_(-0.05, 0.05))
        self.gamma = gamma

    def forward(self, inputs: Any) -> Any:
        """Return logits (n, units) for inputs (n, features)."""
        return -self.gamma * (inputs[:, None, :] - self.centres).square().sum(dim=-1)


def modules(layer: Mapping[str, Any]) -> list[Any]:
    """Build the PyTorch modules of a Keras layer, as `benchmarks.keras_training` describes it.

    Raises ValueError for a layer or a setting that is not known here.
    """
    config, inputs = layer["config"], layer["input_shape"][-1]
    match layer["class"]:
        case "ZeroPadding2D":
            (top, bottom), (left, right) = config["padding"]
            return [nn.ZeroPad2d((left, right, top, bottom))]
        case "Conv2D":
            found = [nn.Conv2d(inputs, config["filters"], config["kernel_size"], config["strides"], config["padding"])]
        case "MaxPooling2D" if config["padding"] == "valid":
            return [nn.MaxPool2d(config["pool_size"], config["strides"])]
        case "AveragePooling2D" if config["padding"] == "valid":
            return [nn.AvgPool2d(config["pool_size"], config["strides"])]
        case "Flatten":
            return [nn.Flatten()]
        case "Dropout":
            return [nn.Dropout(config["rate"])]
        case "Dense":
            found = [nn.Linear(inputs, config["units"])]
        case "RBF":
            return [RBF(inputs, config["units"], config["gamma"])]
        case other:
            raise ValueError(f"layer: found {other} with {config}, which is not known in PyTorch")
    return [*found, *(activation() for activation in ACTIVATIONS[config["activation"]])]


def network(layers: Sequence[Mapping[str, Any]], parameters: int) -> Any:
    """Build the network of these layers.

    Raises ValueError if its number of parameters differs from the Keras network's.
    """
    model = nn.Sequential(*(module for layer in layers for module in modules(layer)))
    found = sum(parameter.numel() for parameter in model.parameters())
    if found != parameters:
        raise ValueError(f"network: found {found} parameters, expected {parameters} as in Keras")
    return model


def make_optimizer(model: Any, settings: Mapping[str, Any]) -> Any:
    """Build PyTorch's optimizer of a name in ``params.yaml``, with Keras' epsilon."""
    if settings["name"] == "sgd":
        return torch.optim.SGD(model.parameters(), lr=settings["learning_rate"], momentum=settings["momentum"])
    kind = {"adam": torch.optim.Adam, "nadam": torch.optim.NAdam}[settings["name"]]
    return kind(model.parameters(), lr=settings["learning_rate"], eps=1e-7)


def train(task: Mapping[str, Any]) -> tuple[list[float], float]:
    """Train, and return the seconds of each epoch and the loss of the last."""
    torch.manual_seed(task["seed"])
    with np.load(task["data"], allow_pickle=False) as arrays:
        pixels = torch.from_numpy(arrays["images"]).permute(0, 3, 1, 2)
        images = torch.empty(pixels.shape).copy_(pixels / 255)  # in PyTorch's own order, channels first
        labels = torch.from_numpy(arrays["labels"].astype(np.int64))
    model = network(task["layers"], task["parameters"])
    optimizer, loss_function = make_optimizer(model, task["optimizer"]), nn.CrossEntropyLoss()
    model.train()
    seconds, epoch_loss = [], 0.0
    for _ in range(task["epochs"]):
        start, epoch_loss = time.perf_counter(), 0.0
        for indices in torch.randperm(len(labels)).split(task["batch_size"]):
            loss = loss_function(model(images[indices]), labels[indices])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            epoch_loss += loss.item() * len(indices) / len(labels)
        seconds.append(time.perf_counter() - start)
    return seconds, epoch_loss


def main() -> None:
    """Do the task: ``layers``, ``parameters``, ``optimizer``, ``batch_size``, ``epochs``, ``seed``, ``data``."""
    seconds, loss = train(json.load(sys.stdin))
    print(json.dumps({"seconds": seconds, "loss": loss, "peak_memory": peak_memory()}))


if __name__ == "__main__":
    main()
