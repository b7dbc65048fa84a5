"""The device that trains: what it is, and how it repeats itself."""

import platform
from pathlib import Path

import keras

from pipeline.training.execution import usable_cores


def make_repeatable(seed: int) -> None:
    """Seed every random generator and ask the backend for operations that give the same bits each time."""
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    elif keras.backend.backend() == "torch":
        import torch

        torch.use_deterministic_algorithms(True)


def describe() -> dict[str, str | int]:
    """Backend, its device, and the processor, which decides the last bits of a result."""
    return {
        "backend": keras.backend.backend(),
        "device": str(keras.ops.convert_to_tensor(0.0).device).rpartition("device:")[2],
        "processor": _processor(),
        "cores": usable_cores(),
        "keras": keras.__version__,
        "python": platform.python_version(),
    }


def _processor() -> str:
    """Name of the processor, and its family and model, since cloud machines of several generations have one name.

    ``platform.processor`` is empty on most Linux machines.
    """
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    if "model name" not in fields:
        return platform.processor() or platform.machine()
    generation = (
        f"{name} {fields[key]}" for name, key in {"family": "cpu family", "model": "model"}.items() if key in fields
    )
    return ", ".join([fields["model name"], *generation])
