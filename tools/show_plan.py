"""Say which models `dvc repro` may train, and how long that took the last time: ``python -m tools.show_plan``."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from pipeline.config import ROOT, Config, load_config
from pipeline.io import run
from pipeline.programs import dvc
from tools.update_readme import RESULTS, training_minutes


def models_to_train(config: Config, status: Mapping[str, Any]) -> list[str]:
    """Return the models whose training, or a stage before it, has changed; DVC may find that fewer have to train.

    Args:
        config: The parameters.
        status: What ``dvc status --json`` prints.
    """
    # "deleted" is what DVC says of files that it has in its cache and would restore.
    changed = {stage for stage, changes in status.items() if _states(changes) != {"deleted"}}
    return [
        name
        for name, model in config.models.items()
        if changed & {"download", "preprocess", f"split@{model.split}", f"train@{name}"}
    ]


def _states(changes: Any) -> set[str]:
    """Collect what DVC says of single files, parameters and commands, however deep they lie."""
    if isinstance(changes, str):
        return {changes}
    parts = changes.values() if isinstance(changes, Mapping) else changes
    return set().union(*map(_states, parts))


def describe(names: Sequence[str], results: pd.DataFrame, machine: str) -> str:
    """Name the models, and add up how long they trained before.

    Args:
        names: The models to train.
        results: ``reports/results.csv``, empty if there is none.
        machine: Where these were trained.
    """
    if not names:
        return "Nothing to train."
    text = f"{len(names)} to train, at most: {', '.join(names)}."
    known = results[results["model"].isin(names)]
    if known.empty:
        return text
    which = "them" if len(known) == len(names) else f"{len(known)} of them"
    minutes = max(1, training_minutes(known))
    return f"{text}\nThe last training of {which} took {minutes} min with {machine}; your machine may differ."


def main() -> None:
    """Print the models and the minutes."""
    config = load_config()  # a mistake in the parameters ends here, before DVC's own words for it
    status = json.loads(dvc("status", "--json", "dvc.yaml"))
    table = ROOT.reports / "results.csv"
    results = pd.read_csv(table) if table.exists() else pd.DataFrame(columns=["model"])
    pages = [page for page in (ROOT.reports / "results.md", RESULTS) if page.exists()]
    machine = re.search(r"trained with (.+?)\. Scores", pages[0].read_text(encoding="utf-8")) if pages else None
    print(describe(models_to_train(config, status), results, machine[1] if machine else "another machine"))


if __name__ == "__main__":
    run(main)
