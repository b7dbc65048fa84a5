"""Write the results into ``README.md``, between its markers, and into ``docs/results.md``: ``make readme``.

Every number comes from ``reports/results.csv`` and ``frontier/reports/results.csv``. ``docs/results.md`` is the full
table of the report: DVC restores a report only if all its outputs but plots are in DVC's cache, so git has a copy.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipeline.config import ROOT, Layout, Pipeline, load_all
from pipeline.io import InputError, require_output, run, write_text
from pipeline.report.tables import escape_markdown, percent

README = Path("README.md")
RESULTS = Path("docs/results.md")


def load_table(layout: Layout, pipeline: Pipeline) -> pd.DataFrame:
    """Load the results of a pipeline's own models, the most accurate first; empty if its report has not run."""
    path = layout.reports / "results.csv"
    if layout == ROOT:
        require_output(path, "report")
    elif not path.exists():
        return pd.DataFrame()
    table = pd.read_csv(path)
    return table[table["model"].isin(pipeline.models)].sort_values("accuracy", ascending=False)


def markdown(table: pd.DataFrame) -> str:
    """Format a short table: accuracy with its interval, the published accuracy, size and training time."""
    rows = [
        {
            "Model": f"`{row['model']}`",
            "Test accuracy (95 % interval)": f"{percent(row['accuracy'])} % "
            f"({percent(row['accuracy_low'])}–{percent(row['accuracy_high'])} %)",
            "Published (article)": "–"
            if pd.isna(row["claim"])
            else f"{escape_markdown(row['claim'])} ({escape_markdown(row['article'])})",
            "Seeds": str(row["seeds"]),
            "Parameters": f"{row['parameters']:,}",
            "Training, s per seed": f"{row['seconds_per_epoch'] * row['epochs']:.0f}",
        }
        for row in table.to_dict("records")
    ]
    align = ["left", *["right"] * (len(rows[0]) - 1)]
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True, colalign=align)


def training_minutes(table: pd.DataFrame) -> int:
    """Add up the minutes that training took, over models, seeds and epochs."""
    if table.empty:
        return 0
    return round(float((table["seconds_per_epoch"] * table["epochs"] * table["seeds"]).sum() / 60))


def fill(text: str, sections: Mapping[str, str]) -> str:
    """Replace what stands between ``<!-- NAME … -->`` and the next ``<!-- end … -->``, for each section."""
    parts = re.split(r"(<!-- [^>]*-->)", text)  # text and markers in turn
    for number, marker in enumerate(parts):
        for name, content in sections.items():
            if re.match(rf"<!-- {name}\b", marker):
                parts[number + 1] = content
    return "".join(parts)


def sections() -> dict[str, str]:
    """Build all sections of the README from the committed results."""
    root, *others = (load_table(layout, pipeline) for layout, pipeline in load_all())
    if root.empty:
        raise InputError("reports/results.csv: found no model of params.yaml; run `dvc repro report`")
    table = pd.concat([root, *others]).sort_values("accuracy", ascending=False)
    frontier = sum(map(training_minutes, others))
    return {
        "results": f"\n\n{markdown(table)}\n\n",
        "root minutes": f"{training_minutes(root)}",
        "frontier minutes": f": about {frontier} minutes more" if frontier else "",
    }


def main() -> None:
    """Rewrite ``README.md`` and ``docs/results.md``."""
    table = require_output(Path("reports/results.md"), "report").read_text(encoding="utf-8")
    texts = {
        README: fill(README.read_text(encoding="utf-8"), sections()),
        RESULTS: f"# Results\n\nWritten by `make readme` from the report.\n\n{table}",
    }
    for path, text in texts.items():
        write_text(path, text)


if __name__ == "__main__":
    run(main)
