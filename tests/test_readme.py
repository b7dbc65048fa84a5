"""What the README says holds."""

import re
from pathlib import Path

import pandas as pd

from tests.clone import ROOT, Clone
from tests.documentation import shell_blocks

README = Path("README.md").read_text(encoding="utf-8")


def block(language: str, start: str) -> str:
    """The block of code in `language` that begins with `start`."""
    found: str
    (found,) = (code for code in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if code.startswith(start))
    return found


def test_the_results_are_those_of_the_report() -> None:
    _, table, _ = re.split(r"<!-- results: .*? -->|<!-- end of results -->", README)
    for result in pd.read_csv("reports/results.csv").to_dict("records"):
        accuracy, low, high, deviation = (
            f"{100 * result[f'accuracy{figure}']:.2f}" for figure in ("", "_low", "_high", "_std")
        )
        of_seeds = f"{accuracy} ± {deviation} %" if result["seeds"] > 1 else f"{accuracy} %"
        (row,) = (line for line in table.splitlines() if line.startswith(f"| `{result['model']}` "))
        assert f"| {of_seeds} ({low}–{high} %) |" in " ".join(row.split()), "`make readme` puts the new results there"


def test_an_architecture_is_added_by_one_file_and_one_entry_and_trains_alone(clone: Clone) -> None:
    (clone.folder / "pipeline/architectures/strided.py").write_text(block("python", '"""A convolutional network'))
    clone.replace("params.yaml", "\nmodels:\n", f"\nmodels:\n{block('yaml', '  strided:')}")
    assert clone.dvc("repro").ran == {"train@strided", "evaluate@strided", "report"}
    assert "`strided`" in (clone.folder / "reports/results.md").read_text(encoding="utf-8")


def test_its_commands_work_as_they_are_typed(clone: Clone) -> None:
    make, work, experiments, predict, own_data = shell_blocks("README.md")  # a further block needs a test too
    (clone.folder / ".venv").symlink_to(ROOT / ".venv")
    worked = clone.run("bash", "-euo", "pipefail", "-c", work)
    assert "Data and pipelines are up to date" in worked
    assert re.search(r"metrics/candidate\.json .* test\.accuracy", worked)
    assert "test image 23" in clone.run("bash", "-euo", "pipefail", "-c", predict)
    assert (clone.folder / "predictions.png").exists()

    assert [line.split()[:2] for line in make.splitlines()] == [
        ["make", "repro"],
        ["make", "test"],
    ]  # the latter runs this
    assert "dvc queue start" in experiments  # tests/test_experiments.py runs it
    typed = {line.partition("#")[0].strip() for line in own_data.splitlines()}
    assert typed <= set("".join(shell_blocks("docs/own-data.md")).splitlines())  # tests/test_own_data.py runs it


def test_every_file_the_readme_names_is_there() -> None:
    for link in re.findall(r"\]\((?!https:)([^)#]+)\)", README):
        assert Path(link).exists(), link
