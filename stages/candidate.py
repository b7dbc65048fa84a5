"""Copy one model's metrics to a fixed path, where `dvc metrics diff` compares them across commits and experiments."""

from argparse import ArgumentParser
from pathlib import Path

from pipeline.config import find_model
from pipeline.io import read_json, require_output, run, write_json

CANDIDATE = Path("metrics/candidate.json")


def main() -> None:
    """Write ``metrics/candidate.json``: the model's name, then its metrics."""
    parser = ArgumentParser(prog="python -m stages.candidate", description=__doc__)
    parser.add_argument("name", help="a model in the parameters")
    name = parser.parse_args().name
    layout, _ = find_model(name)
    metrics = require_output(layout.metrics_of(name), layout.stage("evaluate", name))
    write_json(CANDIDATE, {"model": name, **read_json(metrics)})
    print(f"{CANDIDATE}: metrics of {name}")


if __name__ == "__main__":
    run(main)
