"""Train one model on the training part, choose the epoch on the validation part, predict every part."""

import os
import sys
from pathlib import Path

import numpy.typing as npt

from pipeline.artifacts import replacing, write_csv, write_json, write_npz
from pipeline.dataset.parts import read_parts
from pipeline.errors import run
from pipeline.params.reading import model_named, read_params


def main() -> None:
    """Train the model that the first argument names."""
    name = " ".join(sys.argv[1:])
    params = model_named(read_params(), name)

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before the import, which takes seconds and follows the check
    from pipeline.catalogue import build
    from pipeline.training.device import describe, make_repeatable
    from pipeline.training.fit import fit, with_normalization
    from pipeline.training.predict import predict

    parts, normalization = read_parts(Path("data/prepared.npz"), Path("data/split.npz"))
    classes = int(parts["train"].labels.max()) + 1
    make_repeatable(params.seed)
    network = build(params.architecture, parts["train"].images.shape[1:], classes, params.options)
    model = with_normalization(network, normalization)
    result = fit(name, model, params, parts["train"], parts["validation"])

    predictions: dict[str, npt.ArrayLike] = {}
    for part, data in parts.items():
        predictions[f"{part}_labels"] = data.labels
        predictions[f"{part}_probabilities"] = predict(model, data.images)
    write_npz(Path(f"data/predictions/{name}.npz"), predictions)
    write_csv(Path(f"data/curves/{name}.csv"), result.curves)
    with replacing(Path(f"data/models/{name}.keras")) as path:
        model.save(path)
    record = {"parameters": network.count_params(), "epochs": len(result.curves), "best_epoch": result.best_epoch}
    write_json(Path(f"data/runs/{name}.json"), record | {"seconds_per_epoch": result.seconds_per_epoch} | describe())


if __name__ == "__main__":
    run(main)
