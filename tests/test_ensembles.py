"""Networks that vote, by hand; and what the report makes of ensembles and students."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.collections import LineCollection

from pipeline.artifacts import write_npz
from pipeline.errors import InputError
from pipeline.evaluation.kinds import ENSEMBLE, STUDENT
from pipeline.evaluation.predictions import PARTS, SeedPredictions
from pipeline.evaluation.soft_voting import networks, soft_vote, votes_without
from pipeline.evaluation.teacher import read_teacher
from pipeline.params.schema import EnsembleParams
from pipeline.report.ensembles import EnsembleResult, read_ensemble
from pipeline.report.figures.accuracy_by_size import accuracy_by_size
from pipeline.report.page.document import render
from pipeline.report.page.size_chart import accuracy_by_size as size_chart
from pipeline.report.page.source import Source
from pipeline.report.results import Result
from pipeline.report.tables import results_markdown, results_table

LABELS = np.array([0, 1, 0], np.uint8)


def predictions(*seeds: list[list[float]], labels: npt.NDArray[np.uint8] = LABELS) -> dict[str, SeedPredictions]:
    """The same answers for each part."""
    return dict.fromkeys(PARTS, SeedPredictions(labels, np.array(seeds, np.float32)))


def write_predictions(path: Path, predictions: dict[str, SeedPredictions]) -> None:
    arrays: dict[str, npt.ArrayLike] = {f"{part}_labels": found.labels for part, found in predictions.items()}
    write_npz(path, arrays | {f"{part}_probabilities": found.probabilities for part, found in predictions.items()})


SURE = predictions([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]])  # right for the first image alone
TWO = predictions([[0.2, 0.8], [0.4, 0.6], [0.5, 0.5]], [[0.4, 0.6], [0.2, 0.8], [0.9, 0.1]])  # two and two right


def test_each_network_counts_as_much_as_another() -> None:
    (mean,) = soft_vote({"sure": SURE, "two": TWO})["test"].probabilities
    np.testing.assert_allclose(mean, [[0.5, 0.5], [0.4, 0.6], [1.7 / 3, 1.3 / 3]], rtol=1e-6)


def test_a_vote_of_the_seeds_of_one_model_is_an_ensemble() -> None:
    (mean,) = soft_vote({"two": networks(TWO, "all")})["validation"].probabilities
    np.testing.assert_allclose(mean, [[0.3, 0.7], [0.3, 0.7], [0.7, 0.3]], rtol=1e-6)
    assert mean.dtype == np.float32


def test_the_kept_network_is_the_most_accurate_on_validation_images_in_every_part() -> None:
    better = TWO["validation"].probabilities[[0, 0]].copy()
    better[1] = [[0.9, 0.1], [0.1, 0.9], [0.9, 0.1]]  # all three right
    kept = networks(TWO | {"validation": SeedPredictions(LABELS, better)}, "kept")
    assert [kept[part].probabilities.shape for part in PARTS] == [(1, 3, 2)] * 3
    np.testing.assert_array_equal(kept["test"].probabilities[0], TWO["test"].probabilities[1])


def test_what_the_others_reach_without_a_member() -> None:
    other = predictions([[0.2, 0.8], [0.1, 0.9], [0.6, 0.4]])  # wrong for the first image alone
    right = predictions([[0.7, 0.3], [0.3, 0.7], [0.8, 0.2]])
    # Means for the first class: other and right 0.45, 0.2, 0.7; sure and right 0.8, 0.45, 0.55; sure and other 0.55,
    # 0.35, 0.45.
    found = votes_without({"sure": SURE, "other": other, "right": right})
    assert found == {"sure": pytest.approx(2 / 3), "other": 1, "right": pytest.approx(2 / 3)}
    assert votes_without({"sure": SURE, "right": right}) == {"sure": 1, "right": pytest.approx(1 / 3)}
    assert votes_without({"two": TWO}) == {}


def test_members_that_predict_for_other_images_are_named() -> None:
    other = predictions([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]], labels=np.array([1, 1, 0], np.uint8))
    with pytest.raises(InputError, match="member other: found other train_labels than those of sure, expected"):
        soft_vote({"sure": SURE, "other": other})


def test_a_teacher_answers_for_the_training_images_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "both.npz"
    write_predictions(path, SURE)
    np.testing.assert_array_equal(read_teacher(path, LABELS), SURE["train"].probabilities[0])
    with pytest.raises(InputError, match=r"both\.npz, train_labels: found others than those of the training part"):
        read_teacher(path, np.array([1, 0, 0], np.uint8))
    with pytest.raises(InputError, match=r"no\.npz: found no such file; `dvc repro ensemble@no` makes it"):
        read_teacher(tmp_path / "no.npz", LABELS)


@pytest.fixture(scope="module")
def all_kinds(source: Source, data: Path) -> Source:
    """The four models; all seeds of the first two as an ensemble; as a student mlp, with 100 parameters more."""
    models = {result.name: result for result in source.trained}
    voted = soft_vote({name: models[name].predictions for name in ("cnn1", "dense128")})
    votes = [(models["cnn1"].run, 3), (models["dense128"].run, 1)]
    ensemble = EnsembleResult("both", source.classes, ENSEMBLE, voted, votes)
    larger = models["mlp"].run.model_copy(update={"parameters": 2600})
    pupil = replace(models["mlp"], name="pupil", kind=STUDENT, run=larger)
    return replace(source, results=[*source.results, ensemble, pupil])


def named(source: Source, name: str) -> Result:
    (result,) = (result for result in source.results if result.name == name)
    return result


def test_an_ensemble_has_the_parameters_and_the_seconds_of_all_its_networks(all_kinds: Source) -> None:
    both = named(all_kinds, "both")
    assert both.parameters == 3 * 4000 + 3000
    assert both.seconds_per_epoch == pytest.approx(3 / 4 + 1 / 3)
    columns = ["model", "kind", "parameters", "seeds", "best_epoch", "epochs"]
    *_, of_ensemble, of_student = results_table(all_kinds.results, {})[columns].to_csv(index=False).splitlines()
    assert of_ensemble == "both,ensemble,15000,1,,"
    assert of_student == "pupil,student,2600,2,2,3"


def test_the_readers_table_says_what_is_no_model_and_what_sums_are(all_kinds: Source, source: Source) -> None:
    text = results_markdown(all_kinds.results, {})
    (row,) = (line for line in text.splitlines() if line.startswith("| `both`"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert (cells[0], cells[-3:]) == ("`both` (ensemble)", ["15,000", "1.1", "–"])
    assert "| `pupil` (student) " in text
    sums, alone = "An ensemble's parameters and seconds are sums", "A student's are its own, without its teacher's."
    assert sums in text
    assert alone in text
    models_alone = results_markdown(source.results, {})
    assert sums not in models_alone
    assert alone not in models_alone


def test_how_many_networks_vote_is_by_seeds(all_kinds: Source, data: Path, tmp_path: Path) -> None:
    models = {result.name: result for result in all_kinds.trained}
    params = EnsembleParams(members={"cnn1": "all", "mlp": "kept"})
    with pytest.raises(InputError, match=r"both\.npz: found no such file; `dvc repro ensemble@both` makes it"):
        read_ensemble("both", params, models, all_kinds.classes, tmp_path)
    found = soft_vote({"cnn1": networks(models["cnn1"].predictions, "all"), "mlp": models["mlp"].predictions})
    write_predictions(tmp_path / "ensembles/both.npz", found)
    with pytest.raises(InputError, match=r"confusion\.csv: found no such file; `dvc repro evaluate_ensemble@both`"):
        read_ensemble("both", params, models, all_kinds.classes, tmp_path)


def test_seeds_and_architectures_are_not_measured_on_ensembles(all_kinds: Source) -> None:
    both = [result for result in all_kinds.results if result.name == "both"]
    without = replace(all_kinds, results=[result for result in all_kinds.results if result not in both])
    variance = [re.search(r'<table id="variance">.*?</table>', render(one), re.DOTALL) for one in (all_kinds, without)]
    assert variance[0]
    assert variance[1]
    assert variance[0][0] == variance[1][0]


def test_the_page_shows_ensembles_and_students_and_offers_curves_of_what_has_them(all_kinds: Source) -> None:
    html = render(all_kinds)
    assert '<th scope="row" data-value="both">both <small>ensemble</small></th>' in html
    assert '<th scope="row" data-value="pupil">pupil <small>student</small></th>' in html
    curves = re.findall(r'name="curve" value="(\w+)"', html)
    assert curves == ["cnn1", "dense128", "mlp", "single_layer", "pupil"]
    for choice in ("model", "first", "second"):
        (options,) = re.findall(rf'<select id="{choice}">(.*?)</select>', html)
        assert re.findall(r">(\w+)</option>", options) == [result.name for result in all_kinds.results]
    assert 'id="by-size"' in html


def test_the_figure_and_the_chart_mark_the_same_front(all_kinds: Source) -> None:
    table = results_table(all_kinds.results, {})
    best, front = 0.0, np.empty((0, 2))
    for _, size, accuracy in sorted(table[["model", "parameters", "accuracy"]].values.tolist(), key=lambda row: row[1]):
        if accuracy > best:
            best, front = accuracy, np.vstack([front, [size, accuracy]])
    (axes,) = accuracy_by_size(all_kinds.results).axes
    line, *marks = axes.get_lines()
    np.testing.assert_allclose(np.asarray(line.get_xydata()), front)
    assert len(marks) == 6
    assert sum(isinstance(drawn, LineCollection) for drawn in axes.collections) == 6  # intervals
    assert {mark.get_marker() for mark in marks} == {"o", "s", "^"}

    spec = size_chart(table).to_dict()
    of_front, of_all = sorted(spec["datasets"].values(), key=len)
    np.testing.assert_allclose([[row["parameters"], row["accuracy"]] for row in of_front], front)
    assert (len(of_all), sum(row["front"] for row in of_all)) == (6, len(front))
