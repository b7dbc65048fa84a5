"""Put one model's metrics at a fixed path, where `dvc metrics diff` compares them across commits and experiments."""

import sys
from pathlib import Path

from pipeline.artifacts import existing, read_json, write_json
from pipeline.errors import run
from pipeline.evaluation.kinds import kind_of
from pipeline.params.reading import check_name, read_params


def main() -> None:
    """Write ``metrics/candidate.json``: the model's name, then its metrics."""
    name = " ".join(sys.argv[1:])
    params = read_params()
    check_name(params, name)
    metrics = existing(Path(f"metrics/{name}.json"), f"{kind_of(params, name).evaluator}@{name}")
    write_json(Path("metrics/candidate.json"), {"model": name, **read_json(metrics)})


if __name__ == "__main__":
    run(main)
