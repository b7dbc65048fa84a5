"""The tools that write the README's numbers and print a model's result."""

from pathlib import Path

import pandas as pd
import pytest

from pipeline.config import Layout, Published
from pipeline.io import InputError, write_json
from tools.show_result import describe
from tools.update_readme import fill, markdown, training_minutes

TABLE = pd.DataFrame(
    {
        "model": ["cnn1", "mlp"],
        "seeds": [1, 3],
        "accuracy": [0.91, 0.845],
        "accuracy_low": [0.9043, 0.84],
        "accuracy_high": [0.9155, 0.85],
        "parameters": [65994, 55050],
        "seconds_per_epoch": [6.0, 0.5],
        "epochs": [20, 10],
        "article": ["C", None],
        "claim": ["91.6 %", None],
    }
)


def test_the_table_has_intervals_and_published_results() -> None:
    _, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in markdown(TABLE).splitlines())
    assert rows == [
        ["`cnn1`", "91.00 % (90.43–91.55 %)", "91.6 % (C)", "1", "65,994", "120"],
        ["`mlp`", "84.50 % (84.00–85.00 %)", "–", "3", "55,050", "5"],
    ]


def test_the_minutes_are_of_all_seeds_and_epochs() -> None:
    assert training_minutes(TABLE) == round((6 * 20 + 0.5 * 10 * 3) / 60)
    assert training_minutes(TABLE.head(0)) == 0


def test_only_the_named_sections_are_filled() -> None:
    text = "a<!-- one -->old<!-- end -->b<!-- two: why -->\nold\n<!-- end of two -->c<!-- three -->d"
    filled = fill(text, {"one": "1", "two": "\n2\n"})
    assert filled == "a<!-- one -->1<!-- end -->b<!-- two: why -->\n2\n<!-- end of two -->c<!-- three -->d"


def test_a_result_stands_beside_the_published_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    layout = Layout(Path())
    with pytest.raises(InputError, match="dvc repro evaluate@mlp"):
        describe("mlp", layout, None)
    write_json(layout.metrics_of("mlp"), {"seeds": 3, "test": {"accuracy": 0.8451}})
    published = Published(article="D", claim="84.84 %", accuracy=0.8484)
    assert describe("mlp", layout, published) == (
        "mlp: 84.51 % of the test images are correct (3 seeds); article D reports 84.84 %"
    )
    assert describe("mlp", layout, None).endswith("(3 seeds)")
