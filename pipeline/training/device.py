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
    """Model name of the processor; ``platform.processor`` is empty on most Linux machines."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
