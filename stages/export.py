"""Write one trained model as ONNX, for use without Keras: ``python -m stages.export NAME``."""

import os
import sys
from pathlib import Path

from pipeline.artifacts import existing
from pipeline.dataset.description import read_description
from pipeline.errors import run
from pipeline.params.reading import model_named, read_params


def main() -> None:
    """Write ``data/onnx/NAME.onnx``."""
    name = " ".join(sys.argv[1:])
    architecture = model_named(read_params(), name).architecture
    classes = read_description().classes
    path = existing(Path(f"data/models/{name}.keras"), f"train@{name}")

    os.environ["KERAS_BACKEND"] = "tensorflow"  # whichever trained it, since no other exports all layers
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from pipeline.training.export import export_onnx
    from pipeline.training.saved import load_model

    model = load_model(path, architecture, len(classes))
    export_onnx(model, Path(f"data/onnx/{name}.onnx"))


if __name__ == "__main__":
    run(main)
