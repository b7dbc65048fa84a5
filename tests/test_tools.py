"""The tools that write the README's numbers, and print what `make repro` will train and what came out."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.config import ROOT, Layout, Published, load_config
from pipeline.io import InputError, write_json
from tools import show_plan
from tools.show_result import TOP, describe, most_accurate
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
        "mlp: test accuracy 84.51 % (mean of 3 seeds); article D reports 84.84 %"
    )
    assert describe("mlp", layout, None).endswith("(mean of 3 seeds)")


def test_the_most_accurate_are_printed_best_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    accuracies = {f"model{number}": number / 10 for number in (3, 1, 5, 2, 7, 4)}
    for name, accuracy in accuracies.items():
        write_json(ROOT.metrics_of(name), {"test": {"accuracy": accuracy}})
    assert most_accurate(accuracies) == ["model7", "model5", "model4", "model3", "model2"][:TOP]


CHANGED: Any = [{"changed deps": {"params.yaml": {"models.mlp.epochs": "modified"}}}]
NOT_IN_CACHE: Any = [{"changed deps": {"data/raw": "deleted"}}, {"changed outs": {"x": "not in cache"}}]
IN_CACHE: Any = [{"changed deps": {"data/raw": "deleted"}}, {"changed outs": {"x": "deleted"}}]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, []),
        ({"train@mlp": CHANGED, "train@cnn1": NOT_IN_CACHE, "train@cnn2": IN_CACHE}, ["cnn1", "mlp"]),
        ({"split@article_d": ["changed command"]}, ["single_layer", "mlp", "cnn_grid"]),
        ({"evaluate@mlp": CHANGED, "report": NOT_IN_CACHE}, []),
        ({"download": NOT_IN_CACHE}, list(load_config().models)),
    ],
)
def test_the_plan_is_what_dvc_cannot_restore(status: Any, expected: list[str]) -> None:
    assert show_plan.models_to_train(load_config(), status) == expected


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "Nothing to train."),
        (["new"], "1 to train, at most: new."),
        (
            ["mlp"],
            "1 to train, at most: mlp.\nThe last training of them took 1 min with a CPU; your machine may differ.",
        ),
        (["cnn1", "mlp", "new"], "3 to train, at most: cnn1, mlp, new.\nThe last training of 2 of them took 2 min"),
    ],
)
def test_the_plan_adds_up_the_last_training_times(names: list[str], said: str) -> None:
    assert show_plan.describe(names, TABLE, "a CPU").startswith(said)
