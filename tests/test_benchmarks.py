"""The benchmarks' arithmetic on known numbers, their page, and one small run of them."""

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks.accuracy import accuracy_markdown, share, share_range
from benchmarks.comparison import comparison_figure, comparison_markdown, geometric_mean, ratio, ratio_range
from benchmarks.first_minutes import (
    SHOW,
    Figure,
    first_minutes_markdown,
    gigabytes,
    make_one_stage_repository,
    time_command,
)
from benchmarks.page import PAGE, put_into_page
from benchmarks.training import pytorch_version
from pipeline.io import InputError
from tests.helpers.clone import Clone

SECONDS = {  # of model a, then of model b, in three rounds
    "keras": [(10.0, 2.0), (8.0, 2.0), (12.0, 2.0)],
    "keras_50": [(6.0, 1.0), (6.0, 1.0), (6.0, 1.0)],
    "pytorch": [(4.0, 1.0), (4.0, 1.0), (4.0, 1.0)],
    "pipeline": [(5.0, 0.5), (2.0, 0.5), (9.0, 0.5)],
}


@pytest.fixture
def trainings() -> pd.DataFrame:
    def rows() -> Iterator[dict[str, Any]]:
        for framework, rounds in SECONDS.items():
            for number, of_round in enumerate(rounds, start=1):
                for model, seconds in zip("ab", of_round, strict=True):
                    yield {"round": number, "model": model, "framework": framework, "seconds_per_epoch": seconds}

    memory = {"keras": 700.4, "keras_50": 710.0, "pytorch": 300.0, "pipeline": 800.0}
    table = pd.DataFrame(rows()).assign(images=3200)
    return table.assign(peak_memory=table["framework"].map(memory))


def cells(table: str, start: str) -> list[str]:
    (row,) = (line for line in table.splitlines() if line.startswith(start))
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_a_ratio_is_of_the_least_of_all_rounds(trainings: pd.DataFrame) -> None:
    assert ratio(trainings, "a", "keras") == 2 / 8
    assert ratio(trainings, "a", "pytorch") == 2 / 4


def test_the_spread_is_of_trainings_in_the_same_round(trainings: pd.DataFrame) -> None:
    assert ratio_range(trainings, "a", "keras") == (0.25, 0.75)


def test_every_model_counts_the_same_in_the_mean(trainings: pd.DataFrame) -> None:
    assert geometric_mean(trainings, ["a", "b"], "pytorch") == pytest.approx((0.5 * 0.5) ** 0.5)
    assert geometric_mean(trainings, ["a", "b"], "keras_50") == pytest.approx((2 / 6 * 0.5) ** 0.5)


def test_the_table_has_ratios_spreads_and_means(trainings: pd.DataFrame) -> None:
    table = comparison_markdown(trainings)
    ratios_of_a = ["0.25 (0.25–0.75)", "0.33 (0.33–1.50)", "0.50 (0.50–2.25)"]
    assert cells(table, "| `a`") == ["`a`", "3,200", "8", "6", "4", "2", *ratios_of_a, "700 / 710 / 300 / 800"]
    assert cells(table, "| geometric mean")[6:9] == ["0.25", "0.41", "0.50"]


def test_frameworks_that_were_not_run_are_left_out(trainings: pd.DataFrame) -> None:
    without = trainings[trainings["framework"] != "pytorch"]
    assert "PyTorch" not in comparison_markdown(without)
    assert len(comparison_figure(without).axes[0].containers) == 2  # rows of bars


def test_a_share_is_of_all_epochs_by_the_least_rounds(trainings: pd.DataFrame) -> None:
    trainings = trainings.replace({"model": {"a": "cnn2"}}).assign(epochs=4)
    trainings.loc[trainings["model"] == "cnn2", "epochs"] = 8
    assert share(trainings, "b") == pytest.approx(0.5 * 4 / (8 * 8))
    assert share_range(trainings, "b") == pytest.approx((0.5 * 4 / (12 * 8), 0.5 * 4 / (8 * 8)))


def test_first_minutes_stand_beside_their_targets() -> None:
    figures = [Figure("setup", 41.26, None, "s"), Figure("ratio", 1.5, 2, ""), Figure("size", 2.39, 2.1, "GB")]
    table = first_minutes_markdown(pd.DataFrame(map(asdict, figures)))
    rows = [cells(table, f"| {figure.name}") for figure in figures]
    assert rows == [["setup", "41 s", "–"], ["ratio", "1.5", "2"], ["size", "2.4 GB", "2.1 GB"]]
    assert SHOW in Path("README.md").read_text(encoding="utf-8")


def test_a_file_with_two_names_takes_its_space_once(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(bytes(2**20))
    (tmp_path / "link").hardlink_to(tmp_path / "folder" / "file")
    assert gigabytes(tmp_path) == pytest.approx(2**20 / 1e9, rel=0.1)


@pytest.mark.slow
def test_a_repository_of_one_stage_is_up_to_date(tmp_path: Path) -> None:
    make_one_stage_repository(tmp_path)
    before = (tmp_path / "dvc.lock").read_bytes()
    assert time_command(tmp_path, "dvc", "repro") > 0
    assert (tmp_path / "copy").read_text() == "content"
    assert (tmp_path / "dvc.lock").read_bytes() == before


def test_a_table_replaces_the_one_before(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("above\n<!-- it -->\nold\n<!-- end of it -->\nbelow\n")
    put_into_page("it", "new", page)
    assert page.read_text() == "above\n<!-- it -->\n\nnew\n<!-- end of it -->\nbelow\n"


@pytest.mark.parametrize(
    ("name", "to_markdown"),
    [
        ("training", comparison_markdown),
        ("accuracy", accuracy_markdown),
        ("first_minutes", first_minutes_markdown),
    ],
)
def test_the_page_shows_the_committed_measurements(name: str, to_markdown: Callable[[pd.DataFrame], str]) -> None:
    table = to_markdown(pd.read_csv(PAGE.parent / f"{name}.csv"))
    assert f"<!-- {name.replace('_', ' ')} -->\n\n{table}\nMeasured at commit " in PAGE.read_text(encoding="utf-8")


@pytest.mark.long
def test_the_training_benchmark_writes_page_figure_and_rows(clone: Clone) -> None:
    clone.run(
        *("python", "-m", "benchmarks.training"),
        *("--images", "200", "--rounds", "1", "--models", "dense128", "--skip-pytorch"),
    )
    rows = pd.read_csv(clone.folder / "benchmarks/training.csv")
    assert rows["framework"].tolist() == ["keras", "keras_50", "pipeline"]
    assert rows["images"].nunique() == 1
    assert (rows["epochs"] * rows["images"] / rows["batch_size"] >= 20).all()
    assert rows["loss"].between(0, 2.5).all()
    assert (clone.folder / "benchmarks/training.png").stat().st_size > 0
    assert re.search(
        r"<!-- training -->\n\n\| Model .*`dense128`", (clone.folder / "benchmarks/README.md").read_text(), re.S
    )


def test_without_pytorch_the_message_says_how_to_install_it() -> None:
    with pytest.raises(InputError, match=rf"found no PyTorch in {re.escape(sys.executable)}; .*pip install torch"):
        pytorch_version(sys.executable)
