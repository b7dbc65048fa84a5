"""How a network is trained on this machine: what is compiled, in which precision, and what is done side by side."""

import math
import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import keras

BATCHES_PER_CALL = 50
SMALLEST_SHARD = 8  # images; with fewer, dividing a batch costs more than a second core gains
LARGEST_XLA_BATCH = 4096  # images; above, the matrix products take the time, and oneDNN's are faster than XLA's


@dataclass(frozen=True)
class Execution:
    """`shards` parts of each batch are computed side by side, a core each; `xla` compiles whole runs of steps.

    `precision` is Keras' name for a dtype policy; `devices` divide each batch among them; the loop on the device gets
    `batches_per_call`. With `fused_normalization`, batch normalization is one operation while training.
    """

    shards: int
    xla: bool
    precision: str = "float32"
    devices: int = 1
    fused_normalization: bool = False
    batches_per_call: int = BATCHES_PER_CALL


def execution_for(
    build: Callable[[], keras.Model],
    batch_size: int,
    cores: int,
    others: Iterable[int] = (),
    cpu_precision: Literal["float32", "bfloat16"] = "float32",
) -> Execution:
    """What is fastest on `cores` cores for the network that `build` makes, which is only looked at.

    Measured on CPUs (``benchmarks``): XLA fuses the many small steps of dense networks, but its convolutions are many
    times slower than oneDNN's. oneDNN divides each convolution among the cores and waits for all of them; a core that
    computes its own part of the batch from the first layer to the last waits once. Only a network whose layers keep
    statistics of their batches, such as batch normalization, must see the whole batch; that is one operation then. On
    other devices Keras' own choice stands. Convolutions are computed in `cpu_precision` where the processor has it.

    On a CPU, what XLA compiles inside a loop runs on one core: JAX gets a batch a call there.

    JAX and TensorFlow divide batches among devices only where that leaves no rest: in the training, and in what else is
    computed, of which `others` are the numbers of images, in a batch and in all.

    Call it before anything is computed: it is where TensorFlow's threads are still to be set.
    """
    kind, capability = _accelerator()
    precision = precision_for(kind, capability)
    if keras.backend.backend() == "jax":
        devices = devices_for(len(keras.distribution.list_devices()), [batch_size, *others])
        return Execution(1, True, precision, devices, batches_per_call=1 if kind == "cpu" else BATCHES_PER_CALL)
    if keras.backend.backend() == "torch":
        return Execution(shards=1, xla=False, precision=precision, batches_per_call=1)
    devices = devices_for(_tensorflow_devices(), [batch_size, *others])
    if kind == "gpu" or devices > 1:
        return Execution(shards=1, xla=False, precision=precision, devices=devices)
    with keras.StatelessScope(initialize_variables=False):
        network = build()
    if all(len(weight.shape) < 4 for weight in network.trainable_weights):
        return Execution(shards=1, xla=batch_size <= LARGEST_XLA_BATCH)
    if cpu_precision == "bfloat16" and _processor_has_bfloat16():
        precision = "mixed_bfloat16"
    if network.non_trainable_weights:  # statistics of the batches
        return Execution(shards=1, xla=False, precision=precision, fused_normalization=True)
    return Execution(max(1, min(cores, batch_size // SMALLEST_SHARD)), xla=False, precision=precision)


def precision_for(kind: str, capability: object) -> str:
    """Keras' dtype policy for an accelerator: bfloat16 where its matrix units compute in it, else float32.

    `kind` is ``cpu``, ``gpu`` or ``tpu``; `capability` CUDA's compute capability as the backend gives it, such as
    (8, 0) or ``"8.0"``, or anything else where there is none. NVIDIA has had bfloat16 since 8.0 (Ampere).
    """
    major = str(capability).strip("()").replace(",", ".").partition(".")[0]
    has_bfloat16 = kind == "tpu" or (kind == "gpu" and major.isdecimal() and int(major) >= 8)
    return "mixed_bfloat16" if has_bfloat16 else "float32"


def _processor_has_bfloat16() -> bool:
    """Whether this processor multiplies in bfloat16: others only imitate it, slowly. Linux says so, for x86."""
    information = Path("/proc/cpuinfo")
    features = information.read_text().split() if information.exists() else []
    return "avx512_bf16" in features or "amx_bf16" in features


def devices_for(available: int, numbers: Iterable[int]) -> int:
    """The most of the `available` devices that divide each of `numbers` without a rest."""
    common = math.gcd(*numbers)
    return max(devices for devices in range(1, available + 1) if common % devices == 0)


def set_up(execution: Execution, cores: int) -> None:
    """Make `execution` hold for the networks that are built from now on.

    Each shard gets a thread, and the operations inside it the cores that are left; without shards, threads stay.

    Raises RuntimeError when there are shards and TensorFlow has computed something before.
    """
    keras.config.set_dtype_policy(execution.precision)
    if execution.devices > 1 and keras.backend.backend() == "jax":
        devices = keras.distribution.list_devices()[: execution.devices]
        keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    if execution.shards > 1:
        import tensorflow as tf

        tf.config.threading.set_inter_op_parallelism_threads(execution.shards)
        tf.config.threading.set_intra_op_parallelism_threads(max(1, cores // execution.shards))


def scope_of(execution: Execution) -> AbstractContextManager[object]:
    """Where a network is built and trained: on TensorFlow with several devices, the scope of its `MirroredStrategy`."""
    if execution.devices == 1 or keras.backend.backend() != "tensorflow":
        return nullcontext()
    scope: AbstractContextManager[object] = _mirrored_strategy(execution.devices).scope()
    return scope


@cache  # another one would number what devices send each other from the start again, which TensorFlow mixes up
def _mirrored_strategy(devices: int) -> Any:
    import tensorflow as tf

    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in found[:devices]])


def _tensorflow_devices() -> int:
    """GPUs or, without one, the devices that TensorFlow was told to make of the CPU; none of them is set up by this."""
    import tensorflow as tf

    found = tf.config.list_physical_devices("GPU") or tf.config.list_physical_devices("CPU")
    return sum(len(tf.config.get_logical_device_configuration(device) or [device]) for device in found)


def _accelerator() -> tuple[str, object]:
    """Kind and compute capability of the device that trains, the first of them where there are several."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        device = jax.devices()[0]
        return device.platform, getattr(device, "compute_capability", None)
    if backend == "torch":
        import torch

        return ("gpu", torch.cuda.get_device_capability()) if torch.cuda.is_available() else ("cpu", None)
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "cpu", None
    return "gpu", tf.config.experimental.get_device_details(gpus[0]).get("compute_capability")


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
