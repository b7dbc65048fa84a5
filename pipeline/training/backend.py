"""What Keras' backend has to find in the environment; this module imports neither."""

import os


def prepare_backend() -> None:
    """Quieten TensorFlow, and make JAX repeat itself; before Keras is imported, which takes seconds."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if os.environ.get("KERAS_BACKEND") == "jax":
        os.environ["XLA_FLAGS"] = f"--xla_gpu_deterministic_ops=true {os.environ.get('XLA_FLAGS', '')}"
