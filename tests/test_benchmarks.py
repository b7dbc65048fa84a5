"""The benchmarks' arithmetic on known numbers, and one small run of them."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks.accuracy import shares
from benchmarks.comparison import comparison_figure, comparison_markdown, ratios, with_sums
from benchmarks.keras_training import described
from benchmarks.kernels import OTHERS, PRODUCTS, kernel_milliseconds
from benchmarks.operations import forward_operations, training_operations
from benchmarks.orchestration import (
    CAUSES,
    CHANGE,
    FULL,
    NOTHING,
    ONE_STAGE,
    orchestration_markdown,
    profile_markdown,
    profiled_repro,
    seconds_of_model,
    stages_markdown,
    timed_stages,
)
from benchmarks.page import put_into_page
from pipeline.artifacts import read_json
from pipeline.params.reading import read_params
from tests.clone import Clone

MODELS = read_params().models
SECONDS = {  # of a, then of b
    "keras": [(10.0, 2.0), (8.0, 2.0), (12.0, 2.0)],
    "pytorch": [(4.0, 1.0), (4.0, 1.0), (4.0, 1.0)],
    "pipeline": [(5.0, 0.5), (2.0, 0.5), (9.0, 0.5)],
}


@pytest.fixture
def trainings() -> pd.DataFrame:
    def rows() -> Iterator[dict[str, Any]]:
        for way, rounds in SECONDS.items():
            for number, of_round in enumerate(rounds, start=1):
                for model, seconds in zip("ab", of_round, strict=True):
                    yield {"round": number, "model": model, "way": way, "seconds_per_epoch": seconds}

    memory = {"keras": 700.4, "pytorch": 300.0, "pipeline": 800.0}
    table = pd.DataFrame(rows()).assign(operations_per_epoch=1e9, measured_peak=1e9)
    return table.assign(peak_memory=table["way"].map(memory))


def cells(table: str, start: str) -> list[str]:
    (row,) = (line for line in table.splitlines() if line.startswith(start))
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_a_ratio_is_of_two_trainings_of_one_round(trainings: pd.DataFrame) -> None:
    assert ratios(trainings, "a", "keras") == [0.5, 0.25, 0.75]
    assert ratios(with_sums(trainings), "all", "keras") == pytest.approx([5.5 / 12, 2.5 / 10, 9.5 / 14])


def test_the_table_has_medians_spreads_and_shares_of_the_peak(trainings: pd.DataFrame) -> None:
    table = comparison_markdown(trainings)
    ratio_of_a = ["0.50 (0.25–0.75)", "1.25 (0.50–2.25)"]
    assert cells(table, "| `a`") == ["`a`", "10", "4", "5", *ratio_of_a, "10 / 25 / 20", "700 / 300 / 800"]
    assert cells(table, "| `b`")[-2] == "50 / 100 / 200"
    assert cells(table, "| all")[1:4] == ["12", "5", "5.5"]


def test_accuracy_costs_all_epochs_of_a_training_as_a_share_of_the_yardsticks(trainings: pd.DataFrame) -> None:
    trainings = trainings.replace({"model": {"a": "cnn2"}}).assign(epochs=4)
    trainings.loc[trainings["model"] == "cnn2", "epochs"] = 8
    assert shares(trainings, "b") == pytest.approx([0.5 * 4 / (10 * 8), 0.5 * 4 / (8 * 8), 0.5 * 4 / (12 * 8)])


def test_kernels_are_added_up_by_kind() -> None:
    printed = [
        "onednn_verbose,v1,info,cpu,runtime:threadpool",
        "onednn_verbose,v1,primitive,exec,cpu,convolution,jit:avx2,backward_data,src:f32,,,mb32,0.5",
        "onednn_verbose,v1,primitive,exec,cpu,convolution,jit:avx2,backward_data,src:f32,,,mb32,0.25",
        "onednn_verbose,v1,primitive,exec,cpu,gemm_api,,undef,src_f32,,,32x10,2.5",
        "onednn_verbose,v1,primitive,exec,cpu,pooling,jit:avx2,forward_training,src:f32,,,mb32,1.0",
        '{"seconds": [1.0]}',
    ]
    assert kernel_milliseconds(printed) == {"its gradient of the input": 0.75, PRODUCTS: 2.5, OTHERS: 1.0}


def test_without_pytorch_it_is_left_out(trainings: pd.DataFrame) -> None:
    without = trainings[trainings["way"] != "pytorch"]
    assert "PyTorch" not in comparison_markdown(without)
    assert len(comparison_figure(without).axes[0].containers) == 2  # one row of bars, and its spreads


RUNS = ["run", "seconds", "seconds_of_fits", "seconds_of_predictions"]


def test_orchestration_is_the_time_beside_fits_and_predictions() -> None:
    rows = [(NOTHING, 3.0, 0.0, 0.0), (ONE_STAGE, 2.0, 0.0, 0.0), (CHANGE, 10.0, 4.0, 1.0)]
    text = orchestration_markdown(pd.DataFrame(rows, columns=RUNS))
    assert cells(text, f"| {CHANGE}") == [CHANGE, "10.0", "4.0", "1.0", "5.0", "50 %"]
    assert "takes 1.50 times as long" in text


def test_a_full_run_is_divided_among_its_stages_and_what_of_them_is_the_models(clone: Clone) -> None:
    began = time.perf_counter()
    seconds = timed_stages(clone.folder, "--force", "split")
    assert list(seconds) == ["start", "download", "preprocess", "split"]
    assert sum(seconds.values()) == pytest.approx(time.perf_counter() - began, abs=0.5)
    run = read_json(clone.folder / "data/runs/mlp.json")
    of_stage = [seconds_of_model(clone.folder, stage) for stage in ("train@mlp", "evaluate@mlp", "start")]
    assert [found["seconds_of_fits"] for found in of_stage] == [run["seconds"], 0, 0]
    assert [found["seconds_of_predictions"] for found in of_stage] == [run["seconds_predicting"], 0, 0]


def test_the_stages_that_cost_most_beside_fits_and_predictions_come_first() -> None:
    of_kinds = [(f"{FULL}: report", 7.0, 0.0, 0.0), (f"{FULL}: train", 93.0, 80.0, 3.0)]
    rows = [(FULL, 100.0, 80.0, 3.0), *of_kinds, (NOTHING, 3.0, 0.0, 0.0)]
    _, _, *lines = stages_markdown(pd.DataFrame(rows, columns=RUNS)).splitlines()
    assert [cells(line, "|") for line in lines] == [["`train`", "10.0", "10.0 %"], ["`report`", "7.0", "7.0 %"]]


def test_every_cause_is_in_the_profile_of_a_run(clone: Clone) -> None:
    shares = profiled_repro(clone.folder)
    assert list(shares) == [*CAUSES, "the rest"]
    assert all(share > 0 for share in shares.values())


def test_the_largest_cause_is_named_first_and_the_rest_last() -> None:
    _, _, *rows = profile_markdown({"a": 0.1, "b": 0.6, "the rest": 0.3}).splitlines()
    assert [row.split("|")[1].strip() for row in rows] == ["b", "a", "the rest"]
    assert cells(rows[0], "| b") == ["b", "60 %"]


def test_the_operations_of_cnn1_are_those_counted_by_hand() -> None:
    layers = described(MODELS["cnn1"], (28, 28, 1), 10)["layers"]
    first, *others = 9 * 32 * 26 * 26, 9 * 32 * 64 * 11 * 11, 9 * 64 * 64 * 9 * 9, 4 * 4 * 64 * 10
    assert sum(map(forward_operations, layers)) == 2 * (first + sum(others))
    assert training_operations(layers) == 2 * (2 * first + 3 * sum(others))


def test_the_operations_of_every_layer_with_weights_are_known() -> None:
    for params in MODELS.values():
        assert training_operations(described(params, (28, 28, 1), 10)["layers"]) > 0


def test_a_table_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("above\n<!-- it -->\nold\n<!-- end of it -->\nbelow\n")
    put_into_page("it", "new", page)
    assert page.read_text() == "above\n<!-- it -->\n\nnew\n<!-- end of it -->\nbelow\n"


def test_the_training_benchmark_writes_page_figure_and_rows(clone: Clone) -> None:
    clone.run(
        *("python", "-m", "benchmarks.training"),
        *("--images", "200", "--rounds", "1", "--models", "dense128", "--without-torch"),
    )
    rows = pd.read_csv(clone.folder / "benchmarks/training.csv")
    assert rows["way"].tolist() == ["keras", "pipeline"]
    assert (rows["images"] == 480).all()  # all there are, since 200 are less than 20 batches
    assert (rows["epochs"] == 2).all()  # 15 batches each
    assert rows["loss"].between(0, 2.5).all()
    assert (clone.folder / "benchmarks/training.png").stat().st_size > 0
    assert re.search(
        r"<!-- training -->\n\n\| Model .*`dense128`", (clone.folder / "benchmarks/README.md").read_text(), re.S
    )


def test_without_pytorch_in_the_environment_the_message_says_how_to_install_it(clone: Clone) -> None:
    with pytest.raises(AssertionError, match=r"found no PyTorch in \S+python.*pip install torch"):
        clone.run("python", "-m", "benchmarks.training")
