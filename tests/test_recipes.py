"""What each setting of a recipe does, on the few hundred real images."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from pipeline.config_models import LrSchedule, MuonOptimizer, Recipe, SgdwOptimizer
from pipeline.data.dataset import Split
from pipeline.training.augmentation import Augmentation
from pipeline.training.callbacks import Checkpoint
from pipeline.training.fit import FitResult
from pipeline.training.model import with_tta
from pipeline.training.optimizers import make_lr_schedule, make_optimizer
from pipeline.training.runtime import ExecutionPlan
from pipeline.training.sampler import epoch_order
from pipeline.training.saving import predict
from pipeline.training.train import train
from tests.helpers.everything import EVERYTHING
from tests.helpers.training import PLAIN, KilledAfter, KilledError, Small, build_seeded, config_of

TWO_SHARDS = ExecutionPlan(shards=2, xla=False)


def recipe(**changes: Any) -> Recipe:
    return PLAIN.model_copy(update=changes)


@pytest.fixture
def pixels(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return images[..., np.newaxis]


def augmented(
    settings: Recipe, pixels: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8], seed: int = 0, epoch: int = 0
) -> tuple[Any, Any, dict[str, npt.NDArray[Any]]]:
    """All images in one batch, in their order, and the parameters sampled for them."""
    augmentation = Augmentation(settings, (28, 28, 1), 10)
    params = augmentation.sample_params(np.arange(len(labels), dtype=np.int32), seed, epoch)
    changed = augmentation(keras.ops.convert_to_tensor(pixels), keras.ops.convert_to_tensor(labels), params)
    images, soft_labels = (np.asarray(array) for array in changed)
    return images, soft_labels, params


def test_plain_changes_nothing(pixels: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> None:
    changed, same, params = augmented(PLAIN, pixels, labels)
    assert (params, changed.dtype, same.dtype) == ({}, np.uint8, np.uint8)
    np.testing.assert_array_equal(changed, pixels)
    np.testing.assert_array_equal(same, labels)


def test_a_random_flip_mirrors_half_of_the_images(pixels: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> None:
    changed, _, params = augmented(recipe(flip="random"), pixels, labels)
    flipped = params["flip"] == 1
    assert 0.4 < flipped.mean() < 0.6
    np.testing.assert_array_equal(changed[flipped], pixels[flipped][:, :, ::-1])
    np.testing.assert_array_equal(changed[~flipped], pixels[~flipped])


def test_an_alternating_flip_mirrors_every_other_epoch(
    pixels: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]
) -> None:
    first, second, third = (augmented(recipe(flip="alternating"), pixels, labels, epoch=epoch)[0] for epoch in range(3))
    np.testing.assert_array_equal(second, first[:, :, ::-1])
    np.testing.assert_array_equal(third, first)
    unchanged = np.all(first == pixels, axis=(1, 2, 3))
    assert 0.4 < unchanged.mean() < 0.6

    augmentation = Augmentation(recipe(flip="alternating"), (28, 28, 1), 10)
    orders = [epoch_order(600, seed=0, epoch=epoch) for epoch in range(2)]
    of_image = [np.empty(600), np.empty(600)]
    for epoch, order in enumerate(orders):
        of_image[epoch][order] = augmentation.sample_params(order, seed=0, epoch=epoch)["flip"]
    np.testing.assert_array_equal(of_image[0] + of_image[1], 1)  # in whichever order they are met


def test_a_translation_moves_pixels_and_lets_black_come_in(
    pixels: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]
) -> None:
    changed, _, params = augmented(recipe(translate=2), pixels, labels)
    assert set(params["down"]) == set(params["right"]) == {-2, -1, 0, 1, 2}
    for image, moved, down, right in zip(pixels, changed, params["down"], params["right"], strict=True):
        padded = np.pad(image, ((2, 2), (2, 2), (0, 0)))
        np.testing.assert_array_equal(moved, padded[2 - down : 30 - down, 2 - right : 30 - right])


def test_translation_comes_before_flip_on_colour_images() -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, 6, 5, 3), dtype=np.uint8)
    augmentation = Augmentation(recipe(flip="random", translate=1), (6, 5, 3), 10)
    params = {name: np.array([value], np.int32) for name, value in {"flip": 1, "down": 1, "right": -1}.items()}
    changed, _ = augmentation(keras.ops.convert_to_tensor(image), np.array([0]), params)
    expected = np.zeros((6, 5, 3))
    expected[1:, :4] = image[0, :5, ::-1][:, 1:]
    np.testing.assert_array_equal(np.asarray(changed)[0], expected)


def test_cutout_blackens_a_square_that_may_leave_the_image(labels: npt.NDArray[np.uint8]) -> None:
    white = np.full((600, 28, 28, 1), 255, np.uint8)
    changed, _, params = augmented(recipe(cutout=8), white, labels)
    assert (params["top"].min(), params["top"].max()) == (-4, 23)
    for image, top, left in zip(changed[..., 0], params["top"], params["left"], strict=True):
        expected = np.full((28, 28), 255)
        expected[max(0, top) : top + 8, max(0, left) : left + 8] = 0
        np.testing.assert_array_equal(image, expected)


def test_mixup_mixes_images_and_labels_in_equal_shares(
    pixels: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]
) -> None:
    changed, mixed, params = augmented(recipe(mixup=0.4), pixels, labels)
    share = params["mixup"]
    assert share.mean() == pytest.approx(0.5, abs=0.05)
    assert share.var() == pytest.approx(1 / (4 * (2 * 0.4 + 1)), abs=0.02)  # of Beta(0.4, 0.4)
    one_hot = np.eye(10)[labels]
    np.testing.assert_allclose(mixed, share[:, None] * one_hot + (1 - share[:, None]) * one_hot[::-1], atol=1e-6)
    shares = share[:, None, None, None]
    np.testing.assert_allclose(changed, shares * pixels + (1 - shares) * pixels[::-1], atol=1e-3)


def test_label_smoothing_gives_keras_loss(pixels: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> None:
    _, softened, _ = augmented(recipe(label_smoothing=0.2), pixels, labels)
    answers = np.random.default_rng(0).dirichlet(np.ones(10), 600).astype(np.float32)
    smoothing = keras.losses.CategoricalCrossentropy(label_smoothing=0.2)
    expected = smoothing(np.eye(10, dtype=np.float32)[labels], answers)
    assert float(keras.losses.CategoricalCrossentropy()(softened, answers)) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (LrSchedule(warmup=0.2, decay="linear"), {0: 0, 10: 0.05, 20: 0.1, 60: 0.05, 100: 0}),
        (LrSchedule(warmup=0.0, decay="linear"), {0: 0.1, 50: 0.05, 100: 0}),
        (LrSchedule(warmup=0.2, decay="cosine"), {0: 0, 10: 0.05, 20: 0.1, 60: 0.05, 40: 0.0853553, 100: 0}),
        (LrSchedule(warmup=0.0, decay="cosine"), {0: 0.1, 50: 0.05, 25: 0.0853553, 100: 0}),  # cos(45°)
    ],
)
def test_the_learning_rate_rises_and_falls(schedule: LrSchedule, rates: dict[int, float]) -> None:
    rate = make_lr_schedule(0.1, recipe(lr_schedule=schedule), steps=100)
    for step, expected in rates.items():
        assert float(rate(step)) == pytest.approx(expected, abs=1e-7)


def test_a_schedule_may_be_constant_and_a_training_one_step() -> None:
    assert make_lr_schedule(0.1, PLAIN, steps=1) == 0.1
    for decay in ("linear", "cosine"):
        rate = make_lr_schedule(0.1, recipe(lr_schedule=LrSchedule(warmup=0.9, decay=decay)), steps=1)
        assert float(rate(0)) == pytest.approx(0.1)


def test_sgdw_is_nesterov_momentum_with_decoupled_decay() -> None:
    params = SgdwOptimizer(name="sgdw", learning_rate=0.1, momentum=0.9, weight_decay=0.01)
    optimizer = make_optimizer(params, PLAIN, steps=2, fused=False)
    variable = keras.Variable(np.array([1.0, -2.0]))
    optimizer.build([variable])
    weight, velocity = np.array([1.0, -2.0]), np.zeros(2)
    for gradient in (np.array([0.5, 1.0]), np.array([-1.0, 0.25])):
        optimizer.apply([keras.ops.convert_to_tensor(gradient, dtype="float32")])
        weight = weight - 0.1 * 0.01 * weight
        velocity = 0.9 * velocity - 0.1 * gradient
        weight = weight + 0.9 * velocity - 0.1 * gradient
        np.testing.assert_allclose(np.asarray(variable), weight, rtol=1e-6)


def test_muon_trains_kernels_and_adam_the_other_weights() -> None:
    params = MuonOptimizer(name="muon", learning_rate=0.01, momentum=0.9, weight_decay=0.5, adam_learning_rate=0.02)
    optimizer = make_optimizer(params, PLAIN, steps=1, fused=False)
    generator = np.random.default_rng(0)
    before = [generator.normal(size=shape).astype(np.float32) for shape in ((3, 3, 4, 8), (8,), (8, 5))]
    gradients = [generator.normal(size=values.shape).astype(np.float32) for values in before]
    variables = [keras.Variable(values) for values in before]
    optimizer.build(variables)
    optimizer.apply([keras.ops.convert_to_tensor(gradient) for gradient in gradients])
    kernel, vector, last = (values - np.asarray(variable) for values, variable in zip(before, variables, strict=True))
    step = (kernel - 0.01 * 0.5 * before[0]).reshape(36, 8) / (0.01 * 0.2 * 36**0.5)
    assert 0.6 < np.linalg.svd(step, compute_uv=False).min() < np.linalg.svd(step, compute_uv=False).max() < 1.3
    left, _, right = np.linalg.svd(gradients[0].reshape(36, 8), full_matrices=False)
    assert np.corrcoef(step.ravel(), (left @ right).ravel())[0, 1] > 0.95
    for taken, gradient in zip((vector, last), gradients[1:], strict=True):
        np.testing.assert_allclose(taken, 0.02 * np.sign(gradient), rtol=1e-3)


@pytest.fixture
def small(pixels: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> Small:
    return Small(Split(pixels[::2], labels[::2]), Split(pixels[1::2], labels[1::2]))


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pipeline.training.callbacks.SECONDS_BETWEEN_WRITES", 0)


def started(seed: int = 0) -> keras.Model:
    return build_seeded(config_of("cnn1"), seed=seed)


def fitted(
    small: Small, model: keras.Model, settings: Recipe, checkpoint: Checkpoint | None = None, seed: int = 0
) -> FitResult:
    return small.fit(model, small.job("cnn1", config_of("cnn1", epochs=4), settings, TWO_SHARDS), checkpoint, seed)


def test_the_ema_weights_are_evaluated_and_kept(small: Small) -> None:
    steps: list[list[npt.NDArray[Any]]] = []

    class Noted(Checkpoint):
        def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            steps.append([keras.ops.convert_to_numpy(weight) for weight in self.model.trainable_variables])

    model = started()
    one_batch_a_call = ExecutionPlan(shards=1, xla=False, steps_per_execution=1)
    noted = Noted(Path("noted.npz"), "any")
    settings = recipe(ema=0.8)
    config = config_of("cnn1", epochs=4, batch_size=100)
    result = small.fit(model, small.job("cnn1", config, settings, one_batch_a_call), noted)

    assert len(steps) == 12
    averages = steps[0]
    evaluated = []
    for number, weights in enumerate(steps[1:], start=2):
        averages = [0.8 * average + 0.2 * weight for average, weight in zip(averages, weights, strict=True)]
        if number % 3 == 0:
            evaluated.append(averages)
    for weight, expected in zip(model.get_weights(), evaluated[result.best_epoch - 1], strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-6)
    right = predict(model, small.validation.images).argmax(axis=1) == small.validation.labels
    assert right.mean() == pytest.approx(result.curves["val_accuracy"][result.best_epoch - 1])


@pytest.mark.parametrize(("flip", "translate"), [(True, 0), (False, 2), (True, 1)])
def test_tta_averages_over_views_of_an_image(flip: bool, translate: int, small: Small) -> None:
    model, images = started(), small.validation.images
    views = [images]
    if translate:
        height, width = images.shape[1:3]
        margin = np.pad(images, ((0, 0), (translate, translate), (translate, translate), (0, 0)))
        views += [margin[:, 2 * translate :, 2 * translate :], margin[:, :height, :width]]
    if flip:
        views += [view[:, :, ::-1] for view in views]
    whole = with_tta(model, flip, translate)
    answers = predict(whole, images)
    np.testing.assert_allclose(answers, np.mean([predict(model, view) for view in views], axis=0), atol=1e-6)

    whole.save("model.keras")
    loaded = keras.saving.load_model("model.keras", safe_mode=True)
    np.testing.assert_array_equal(predict(loaded, small.validation.images), answers)
    assert with_tta(model, flip=False, translate=0) is model


def test_training_images_are_predicted_without_tta(small: Small) -> None:
    config = config_of("cnn1", epochs=1, seeds=[0])
    result = train(small.job("cnn1", config, recipe(tta_flip=True), TWO_SHARDS))
    plain, images = result.model.layers[1], small.train.images  # the splits train and test have the same images
    flipped = (predict(plain, images) + predict(plain, images[:, :, ::-1])) / 2
    np.testing.assert_allclose(result.probabilities["train"][0], predict(plain, images), atol=1e-6)
    np.testing.assert_allclose(result.probabilities["test"][0], flipped, atol=1e-6)


def test_the_validation_loss_is_without_label_smoothing(small: Small) -> None:
    model = started()
    result = small.fit(model, small.job("cnn1", config_of("cnn1", epochs=1), recipe(label_smoothing=0.3), TWO_SHARDS))
    answers = predict(model, small.validation.images)
    expected = -np.log(answers[np.arange(300), small.validation.labels]).mean()
    assert result.curves["val_loss"][0] == pytest.approx(expected, rel=1e-4)


def test_everything_on_resumes_to_the_same_bits(small: Small) -> None:
    def trained(checkpoint: Checkpoint, seed: int = 0) -> tuple[bytes, pd.DataFrame]:
        model = started(seed)
        result = fitted(small, model, EVERYTHING, checkpoint, seed)
        return predict(model, small.validation.images).tobytes(), result.curves

    undisturbed, curves = trained(Checkpoint(Path("a.npz"), "this"))
    assert trained(Checkpoint(Path("b.npz"), "this"), seed=1)[0] != undisturbed
    with pytest.raises(KilledError):
        trained(KilledAfter(Path("killed.npz"), "this", epochs=2))
    resumed, resumed_curves = trained(Checkpoint(Path("killed.npz"), "this"))
    assert resumed == undisturbed
    pd.testing.assert_frame_equal(resumed_curves, curves)


def test_everything_on_trains_a_later_seed_as_if_alone(small: Small) -> None:
    together, alone = (
        train(small.job("airbench", config_of("airbench", epochs=2, seeds=seeds), EVERYTHING))
        for seeds in ([0, 1], [1])
    )
    assert together.probabilities["validation"][1].tobytes() == alone.probabilities["validation"][0].tobytes()
