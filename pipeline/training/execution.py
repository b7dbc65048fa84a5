"""How a network is trained on this machine: what is compiled, and what the cores do side by side."""

import os
from collections.abc import Callable
from dataclasses import dataclass

import keras

SMALLEST_SHARD = 8  # images; with fewer, dividing a batch costs more than a second core gains
LARGEST_XLA_BATCH = 4096  # images; above, the matrix products take the time, and oneDNN's are faster than XLA's


@dataclass(frozen=True)
class Execution:
    """`shards` parts of each batch are computed side by side, a core each; `xla` compiles whole runs of steps."""

    shards: int
    xla: bool


def execution_for(build: Callable[[], keras.Model], batch_size: int, cores: int) -> Execution:
    """What is fastest on `cores` cores for the network that `build` makes, which is only looked at.

    Measured on CPUs (``benchmarks``): XLA fuses the many small steps of dense networks, but its convolutions are many
    times slower than oneDNN's. oneDNN divides each convolution among the cores and waits for all of them; a core that
    computes its own part of the batch from the first layer to the last waits once. Only a network whose layers keep
    statistics of their batches, such as batch normalization, must see the whole batch. On other devices Keras' own
    choice stands.

    Call it before anything is computed: it is where TensorFlow's threads are still to be set.
    """
    if keras.backend.backend() != "tensorflow":
        return Execution(shards=1, xla=False)
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return Execution(shards=1, xla=False)
    with keras.StatelessScope(initialize_variables=False):
        network = build()
    if all(len(weight.shape) < 4 for weight in network.trainable_weights):
        return Execution(shards=1, xla=batch_size <= LARGEST_XLA_BATCH)
    keeps_statistics = bool(network.non_trainable_weights)
    return Execution(1 if keeps_statistics else max(1, min(cores, batch_size // SMALLEST_SHARD)), xla=False)


def set_threads(execution: Execution, cores: int) -> None:
    """Give each shard a thread, and the operations inside it the cores that are left; without shards, change nothing.

    Raises RuntimeError when TensorFlow has computed something before.
    """
    if execution.shards > 1:
        import tensorflow as tf

        tf.config.threading.set_inter_op_parallelism_threads(execution.shards)
        tf.config.threading.set_intra_op_parallelism_threads(max(1, cores // execution.shards))


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
