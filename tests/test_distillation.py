"""What a teacher makes of a training, on the few hundred real images."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from pipeline.catalogue import build
from pipeline.dataset.parts import Normalization, Part
from pipeline.errors import InputError
from pipeline.params.reading import read_params
from pipeline.params.recipes import Recipe
from pipeline.training.augmentation import Augmentation
from pipeline.training.checkpoint import Checkpoint
from pipeline.training.device import make_repeatable
from pipeline.training.distillation import Distillation
from pipeline.training.execution import Execution
from pipeline.training.fit import Fit, fit, with_normalization
from pipeline.training.loop import Loop
from pipeline.training.predict import predict
from pipeline.training.train import train as train_model
from tests.everything import EVERYTHING, PLAIN
from tests.killed import KilledAfter, KilledError

PARAMS = read_params()
IN_SHARDS = Execution(shards=2, xla=False)
COMPILED = Execution(shards=1, xla=True)


@pytest.fixture
def train(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> Part:
    return Part(images[::2, ..., np.newaxis], labels[::2])


@pytest.fixture
def validation(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> Part:
    return Part(images[1::2, ..., np.newaxis], labels[1::2])


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pipeline.training.checkpoint.SECONDS_BETWEEN_WRITES", 0)


def softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def drawn(images: int, classes: int = 10, seed: int = 0) -> npt.NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, 3, (images, classes))


def certain(labels: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
    return np.eye(10, dtype=np.float32).take(labels, axis=0)


def test_the_loss_is_that_of_hinton_vinyals_and_dean_less_the_teachers_entropy() -> None:
    # The paper softens logits; ours are softmax answers, from which they come but for a constant.
    temperature, weight = 4.0, 0.7
    teacher, student = drawn(6, seed=1), drawn(6, seed=2)
    labels = np.array([0, 3, 9, 9, 5, 1], np.uint8)
    distillation = Distillation(softmax(teacher).astype(np.float32), temperature, weight)
    found = distillation.loss(
        distillation.targets(labels, 0.0), keras.ops.convert_to_tensor(softmax(student), "float32")
    )

    soft_teacher, soft_student = softmax(teacher / temperature), softmax(student / temperature)
    cross_entropy = -np.sum(soft_teacher * np.log(soft_student), axis=1)
    entropy = -np.sum(soft_teacher * np.log(soft_teacher), axis=1)
    of_labels = -np.log(softmax(student)[np.arange(6), labels])
    expected = (1 - weight) * of_labels + weight * temperature**2 * (cross_entropy - entropy)
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-4)


def test_a_student_that_answers_as_its_teacher_has_lost_nothing_to_it() -> None:
    answers = softmax(drawn(5)).astype(np.float32)
    distillation = Distillation(answers, temperature=3.0, weight=1.0)
    found = distillation.loss(distillation.targets(np.zeros(5, np.uint8), 0.0), keras.ops.convert_to_tensor(answers))
    np.testing.assert_allclose(np.asarray(found), 0, atol=1e-5)


def test_answers_of_zero_cost_much_and_not_infinitely_much() -> None:
    teacher = np.array([[0, 1, 0]], np.float32)
    distillation = Distillation(teacher, temperature=2.0, weight=1.0)
    answers = keras.ops.convert_to_tensor(np.array([[1, 0, 0]], np.float32))
    (loss,) = np.asarray(distillation.loss(distillation.targets(np.array([1], np.uint8), 0.0), answers))
    assert 100 < loss < 200  # 2² · ln(10³⁰) / 2, nearly: the teacher is nearly sure at this temperature too


def test_labels_are_smoothed_and_the_teacher_is_not() -> None:
    answers = np.array([[0.5, 0.3, 0.2]], np.float32)
    (targets,) = Distillation(answers, temperature=2.0, weight=0.5).targets(np.array([1], np.uint8), 0.3)
    roots = np.sqrt([0.5, 0.3, 0.2])
    np.testing.assert_allclose(targets, [0.1, 0.8, 0.1, *roots / roots.sum()], rtol=1e-6)


def test_mixup_mixes_the_teachers_answers_as_it_does_labels() -> None:
    targets = np.array([[1, 0, 0.9, 0.1], [0, 1, 0.3, 0.7]], np.float32)
    images = np.zeros((2, 28, 28, 1), np.uint8)
    augmentation = Augmentation(PLAIN.model_copy(update={"mixup": 1.0}), (28, 28, 1), 2, taught=True)
    _, mixed = augmentation(images, targets, {"mixup": np.array([0.25, 1], np.float32)})
    np.testing.assert_allclose(np.asarray(mixed), [[0.25, 0.75, 0.45, 0.55], targets[1]], rtol=1e-6)


def started(seed: int = 0, architecture: str = "cnn1", options: dict[str, Any] | None = None) -> keras.Model:
    make_repeatable(seed)
    return with_normalization(build(architecture, (28, 28, 1), 10, options or {}), Normalization(offset=0, scale=255))


def fitted(
    model: keras.Model,
    recipe: Recipe,
    train: Part,
    validation: Part,
    distillation: Distillation | None,
    checkpoint: Checkpoint | None = None,
    execution: Execution = IN_SHARDS,
    **changes: Any,
) -> Fit:
    Path("none.npz").unlink(missing_ok=True)
    params = PARAMS.models["cnn1"].model_copy(update={"epochs": 2, **changes})
    kept = checkpoint or Checkpoint(Path("none.npz"), "any")
    return fit("pupil", 0, model, params, recipe, train, validation, execution, kept, distillation)


def on_the_loop_of_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Keras take a batch a step, as under every backend that has no loop of its own here."""
    monkeypatch.setattr("pipeline.training.fit._loop", lambda *given: Loop(*given[:3]))


@pytest.mark.parametrize("device", [True, False], ids=["device loop", "batch a step"])
def test_a_certain_teacher_that_has_all_the_weight_takes_the_labels_place(
    device: bool, train: Part, validation: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = Execution(shards=1, xla=False, batches_per_call=5 if device else 1)
    if not device:
        on_the_loop_of_pytorch(monkeypatch)
    others = Part(train.images, (train.labels + 1) % 10)
    teacher = Distillation(certain(others.labels), temperature=1.0, weight=1.0)
    taught, told = started(), started()
    of_teacher = fitted(taught, PLAIN, train, validation, teacher, execution=execution)
    of_labels = fitted(told, PLAIN, others, validation, None, execution=execution)
    np.testing.assert_allclose(of_teacher.curves["loss"], of_labels.curves["loss"], rtol=1e-3)
    np.testing.assert_allclose(predict(taught, validation.images), predict(told, validation.images), atol=0.01)


@pytest.mark.parametrize("recipe", [PLAIN, EVERYTHING], ids=["plain", "everything"])
def test_on_the_validation_part_the_labels_alone_count(recipe: Recipe, train: Part, validation: Part) -> None:
    recipe = recipe.model_copy(update={"averaging": None})
    model = started()
    teacher = Distillation(softmax(drawn(300)).astype(np.float32), temperature=4.0, weight=0.5)
    result = fitted(model, recipe, train, validation, teacher, epochs=1)
    answers = predict(model, validation.images)
    expected = -np.log(answers[np.arange(300), validation.labels]).mean()
    assert result.curves["val_loss"][0] == pytest.approx(expected, rel=1e-4)
    assert result.curves["val_accuracy"][0] == pytest.approx(np.mean(answers.argmax(axis=1) == validation.labels))


@pytest.mark.parametrize("batch_size", [32, "full"])
def test_a_seed_gives_the_same_bits_after_a_kill_too(batch_size: int | str, train: Part, validation: Part) -> None:
    teacher = Distillation(softmax(drawn(300)).astype(np.float32), temperature=4.0, weight=0.5)

    def trained(checkpoint: Checkpoint, teacher: Distillation = teacher) -> tuple[bytes, pd.DataFrame]:
        model = started(architecture="mlp", options={"layers": 1, "nodes": 32})
        changes = {"batch_size": batch_size, "epochs": 4 if batch_size == 32 else 12}  # an epoch may be one step
        result = fitted(model, EVERYTHING, train, validation, teacher, checkpoint, COMPILED, **changes)
        assert result.best_epoch > 1  # the first of few steps is so short that nothing is learned in it
        return predict(model, validation.images).tobytes(), result.curves

    undisturbed, curves = trained(Checkpoint(Path("a.npz"), "this"))
    another = Distillation(teacher.answers, temperature=2.0, weight=0.5)
    assert trained(Checkpoint(Path("b.npz"), "this"), another)[0] != undisturbed
    with pytest.raises(KilledError):
        trained(KilledAfter(Path("killed.npz"), "this", epochs=2))
    resumed, resumed_curves = trained(Checkpoint(Path("killed.npz"), "this"))
    assert resumed == undisturbed
    pd.testing.assert_frame_equal(resumed_curves, curves)


def test_another_teacher_does_not_go_on_from_a_checkpoint(
    train: Part, validation: Part, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipeline.training.train.set_up", lambda *_: None)  # this process has computed before
    parts = {"train": train, "validation": validation}
    params = PARAMS.models["mlp"].model_copy(update={"epochs": 2, "seeds": [0]})
    for answers in ("these", "these", "others"):
        Path("teacher.npz").write_text(answers)
        teacher = Distillation(certain(train.labels), temperature=2.0, weight=0.5)
        normalization = Normalization(offset=0, scale=255)
        train_model("mlp", params, PLAIN, parts, normalization, 10, [Path("teacher.npz")], teacher)
    assert capsys.readouterr().out.count("goes on after epoch 2") == 1


def test_a_loss_that_is_not_finite_names_the_student(train: Part, validation: Part) -> None:
    optimizer = PARAMS.models["simple_nn"].optimizer.model_copy(update={"learning_rate": 1e30})
    teacher = Distillation(certain(train.labels), temperature=2.0, weight=0.5)
    model = started(architecture="dense", options={"hidden": [300, 100], "activation": "relu"})
    with pytest.raises(InputError, match=r"^students\.pupil: found a loss that is not finite in epoch 1"):
        fitted(model, PLAIN, train, validation, teacher, execution=COMPILED, optimizer=optimizer)
