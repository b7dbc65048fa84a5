"""Put one model's metrics at a fixed path, where `dvc metrics diff` compares them across commits and experiments."""

import sys
from pathlib import Path

from pipeline.artifacts import existing, read_json, write_json
from pipeline.errors import run
from pipeline.params.reading import model_named, read_params


def main() -> None:
    """Write ``metrics/candidate.json``: the model's name, then its metrics."""
    name = " ".join(sys.argv[1:])
    model_named(read_params(), name)
    metrics = existing(Path(f"metrics/{name}.json"), f"evaluate@{name}")
    write_json(Path("metrics/candidate.json"), {"model": name, **read_json(metrics)})


if __name__ == "__main__":
    run(main)
