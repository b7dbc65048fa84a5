"""Run a training on this machine: the backend, the execution plan, seeds and hardware.

Keras is imported inside functions, since `prepare_backend` must run before it.
"""

import logging
import math
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import keras

STEPS_PER_EXECUTION = 50
SMALLEST_SHARD = 8  # images; with fewer, dividing a batch costs more than a second core gains
LARGEST_XLA_BATCH = 4096  # images; above, the matrix products take the time, and oneDNN's are faster than XLA's


# Lines that TensorFlow writes when it is imported, whatever its log level, and a program that leaves them out.
NOISE = ("absl::InitializeLog() is called", "oneDNN custom operations are on")
FILTER = f"""
import sys
for line in sys.stdin.buffer:
    if not any(noise in line for noise in {tuple(noise.encode() for noise in NOISE)}):
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
"""


@dataclass(frozen=True)
class ExecutionPlan:
    """The way a network is trained on this machine.

    `shards` parts of each batch are computed side by side, a core each. `xla` compiles whole runs of steps. `precision`
    is Keras' name for a dtype policy. `devices` divide each batch among them, on JAX. With `fused_normalization`, batch
    normalization is one operation while training. `steps_per_execution` batches pass to the device in one call.
    """

    shards: int
    xla: bool
    precision: str = "float32"
    devices: int = 1
    fused_normalization: bool = False
    steps_per_execution: int = STEPS_PER_EXECUTION


def prepare_backend() -> None:
    """Import Keras, which takes seconds, with a quiet TensorFlow that uses oneDNN, or a deterministic JAX.

    Keras' global settings become its defaults, so ``keras.json`` in the user's home changes no result. It may still
    name the backend. Call this before anything else imports Keras.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Without this, TensorFlow uses oneDNN only on CPUs with AVX512_VNNI, AMX or the like. It is faster on all of them.
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # predicting splits of several sizes warns of retracing
    if os.environ.get("KERAS_BACKEND") == "jax":
        os.environ["XLA_FLAGS"] = f"--xla_gpu_deterministic_ops=true {os.environ.get('XLA_FLAGS', '')}"
    with _without_noise():
        import keras
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")


@contextmanager
def _without_noise() -> Iterator[None]:
    """Leave `NOISE` out of what is written to stderr, by C++ too.

    Another process filters, so that everything else is seen even if this one crashes.
    """
    sys.stderr.flush()
    real = os.dup(2)
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", FILTER], stdin=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdin  # noqa: S101
        os.dup2(process.stdin.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(real, 2)
            os.close(real)


def plan_execution(
    build: "Callable[[], keras.Model]",
    batch_size: int,
    cores: int,
    eval_batch_sizes: Iterable[int] = (),
    cpu_precision: Literal["float32", "bfloat16"] = "float32",
) -> ExecutionPlan:
    """Choose the fastest execution plan for a network on so many CPU cores.

    The network is built only to inspect its layers; nothing is computed. Measured on CPUs (``benchmarks``): XLA fuses
    the many small steps of dense networks, but its convolutions are many times slower than oneDNN's. oneDNN divides
    each convolution among the cores and waits for all of them. A core that computes its own shard of the batch from the
    first layer to the last waits once. Only a network whose layers keep statistics of their batches, such as batch
    normalization, must see the whole batch; that is one operation then. On other devices Keras' own choice stands.

    On a CPU, what XLA compiles inside a loop runs on one core, so JAX gets a batch a call there. JAX divides batches
    among devices only where that leaves no rest, in training and in every evaluation.

    Args:
        build: Builds the network.
        batch_size: Images in a batch of the training.
        cores: CPU cores that this process may use.
        eval_batch_sizes: Images in a batch of each evaluation, and in all its batches.
        cpu_precision: Precision of convolutions on CPUs that have it.

    Returns:
        The plan for `configure_backend`.
    """
    import keras

    kind, capability = _accelerator()
    precision = precision_for(kind, capability)
    if keras.backend.backend() == "jax":
        devices = devices_for(len(keras.distribution.list_devices()), [batch_size, *eval_batch_sizes])
        steps = 1 if kind == "cpu" else STEPS_PER_EXECUTION
        return ExecutionPlan(1, True, precision, devices, steps_per_execution=steps)
    if keras.backend.backend() == "torch":
        return ExecutionPlan(shards=1, xla=False, precision=precision, steps_per_execution=1)
    if kind == "gpu":
        return ExecutionPlan(shards=1, xla=False, precision=precision)
    with keras.StatelessScope(initialize_variables=False):
        network = build()
    if all(len(weight.shape) < 4 for weight in network.trainable_weights):
        return ExecutionPlan(shards=1, xla=batch_size <= LARGEST_XLA_BATCH)
    if cpu_precision == "bfloat16" and _cpu_has_bfloat16():
        precision = "mixed_bfloat16"
    if network.non_trainable_weights:  # statistics of the batches
        return ExecutionPlan(shards=1, xla=False, precision=precision, fused_normalization=True)
    return ExecutionPlan(max(1, min(cores, batch_size // SMALLEST_SHARD)), xla=False, precision=precision)


def precision_for(kind: str, capability: object) -> str:
    """Return Keras' dtype policy for an accelerator: bfloat16 where its matrix units compute in it, else float32.

    `kind` is ``cpu``, ``gpu`` or ``tpu``. `capability` is CUDA's compute capability as the backend gives it, such as
    (8, 0) or ``"8.0"``, or anything else where there is none. NVIDIA has had bfloat16 since 8.0 (Ampere).
    """
    major = str(capability).strip("()").replace(",", ".").partition(".")[0]
    has_bfloat16 = kind == "tpu" or (kind == "gpu" and major.isdecimal() and int(major) >= 8)
    return "mixed_bfloat16" if has_bfloat16 else "float32"


def _cpu_has_bfloat16() -> bool:
    """Return whether the CPU has native bfloat16 instructions (AVX512-BF16 or AMX).

    Elsewhere bfloat16 is emulated and slow. Reads ``/proc/cpuinfo``, so x86 Linux only.
    """
    information = Path("/proc/cpuinfo")
    features = information.read_text().split() if information.exists() else []
    return "avx512_bf16" in features or "amx_bf16" in features


def devices_for(available: int, numbers: Iterable[int]) -> int:
    """Return the most of the available devices that divide each of `numbers` without a rest."""
    common = math.gcd(*numbers)
    return max(devices for devices in range(1, available + 1) if common % devices == 0)


def configure_backend(plan: ExecutionPlan, cores: int) -> None:
    """Set the devices and threads of this process for a plan.

    Each shard gets a thread, and the operations inside it share the cores that are left. Without shards, threads stay.

    Raises RuntimeError when there are shards and TensorFlow has computed something before.
    """
    import keras

    if plan.devices > 1:
        devices = keras.distribution.list_devices()[: plan.devices]
        keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    if plan.shards > 1:
        import tensorflow as tf

        tf.config.threading.set_inter_op_parallelism_threads(plan.shards)
        tf.config.threading.set_intra_op_parallelism_threads(max(1, cores // plan.shards))


def seed_everything(seed: int) -> None:
    """Seed every random generator and make the backend's operations deterministic."""
    import keras

    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    elif keras.backend.backend() == "torch":
        import torch

        torch.use_deterministic_algorithms(True)


def hardware_info() -> dict[str, str | int]:
    """Return the backend, its device and versions, and the processor, which decides the last bits of a result."""
    import keras

    return {
        "backend": keras.backend.backend(),
        "device": str(keras.ops.convert_to_tensor(0.0).device).rpartition("device:")[2],
        "processor": _processor(),
        "cores": available_cpus(),
        "keras": keras.__version__,
        "python": platform.python_version(),
    }


def available_cpus() -> int:
    """Return the CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    """Return the processor's name, family and model, since cloud machines of several generations share a name.

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


def _accelerator() -> tuple[str, object]:
    """Return kind and compute capability of the device that trains, the first of several."""
    import keras

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
