"""Training in this process: every model of ``params.yaml`` on the few hundred real images."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from keras import layers

from pipeline.catalogue import build
from pipeline.dataset.parts import Normalization, Part
from pipeline.errors import InputError
from pipeline.params.reading import read_params
from pipeline.params.schema import ModelParams
from pipeline.training.batches import batch_size_of, epoch_blocks, epoch_order
from pipeline.training.checkpoint import Checkpoint
from pipeline.training.device import describe, make_repeatable
from pipeline.training.execution import Execution, execution_for
from pipeline.training.fit import Fit, fit, with_normalization
from pipeline.training.fused_normalization_tensorflow import with_fused_normalization
from pipeline.training.optimizers import make_optimizer
from pipeline.training.predict import predict
from pipeline.training.train import forget
from pipeline.training.train import train as train_model
from tests.killed import KilledAfter, KilledError

PARAMS = read_params()
MODELS = PARAMS.models
# Of entries that differ in size or epochs alone, the quickest.
DISTINCT = [name for name in MODELS if name not in {"dense128", "resnet", "airbench"}]
PLAIN = PARAMS.recipes["plain"]
MINMAX = Normalization(offset=0, scale=255)


@pytest.fixture
def train(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> Part:
    return Part(images[::2, ..., np.newaxis], labels[::2])


@pytest.fixture
def validation(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> Part:
    return Part(images[1::2, ..., np.newaxis], labels[1::2])


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # DVCLive writes to the working folder


def model_of(params: ModelParams, normalization: Normalization = MINMAX, seed: int = 0) -> keras.Model:
    make_repeatable(seed)
    return with_normalization(build(params.architecture, (28, 28, 1), 10, params.options), normalization)


def params_of(name: str, **changes: Any) -> ModelParams:
    return MODELS[name].model_copy(update=changes)


def fitted(
    name: str,
    model: keras.Model,
    params: ModelParams,
    train: Part,
    validation: Part,
    checkpoint: Checkpoint | None = None,
    seed: int = 0,
) -> Fit:
    """Fit as the stage does on two cores, whichever machine this is."""
    execution = execution_of(params, cores=2)
    Path("none.npz").unlink(missing_ok=True)
    kept = checkpoint or Checkpoint(Path("none.npz"), "any")
    return fit(name, seed, model, params, PLAIN, train, validation, execution, kept)


def execution_of(params: ModelParams, cores: int) -> Execution:
    def network() -> keras.Model:
        return build(params.architecture, (28, 28, 1), 10, params.options)

    return execution_for(network, batch_size_of(params, images=300), cores)


@pytest.mark.parametrize("name", DISTINCT)
def test_every_model_trains_predicts_and_survives_saving(name: str, train: Part, validation: Part) -> None:
    params = params_of(name, epochs=2)
    model = model_of(params)
    result = fitted(name, model, params, train, validation)
    assert list(result.curves.columns) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]
    assert result.curves["epoch"].tolist() == [1, 2]
    assert Path(f"dvclive/{name}/0/report.html").exists()

    probabilities = predict(model, validation.images)
    assert probabilities.shape == (300, 10)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    accuracy = np.mean(probabilities.argmax(axis=1) == validation.labels)
    assert accuracy == pytest.approx(result.curves["val_accuracy"][result.best_epoch - 1])

    model.save("model.keras")
    loaded = keras.saving.load_model("model.keras", safe_mode=True)
    np.testing.assert_array_equal(predict(loaded, validation.images), probabilities)


def without_dropout(model: keras.Model) -> keras.Model:
    """The parts of a batch draw masks of their own, so that steps can be compared without masks alone."""
    for layer in model.layers[-1].layers:
        if isinstance(layer, layers.Dropout):
            layer.rate = 0
    return model


@pytest.mark.parametrize("name", DISTINCT)
def test_the_first_steps_are_those_of_plain_keras(name: str, train: Part, validation: Part) -> None:
    batches = 3  # more of them, and Adam makes the rounding of tiny gradients as large as a step
    params = params_of(name, epochs=1, batch_size=32 if MODELS[name].batch_size != "full" else "full")
    size = batch_size_of(params, images=batches * 32)
    first = Part(train.images[: batches * 32], train.labels[: batches * 32])
    ours = without_dropout(model_of(params))
    result = fitted(name, ours, params, first, validation)

    plain = without_dropout(model_of(params))
    optimizer = make_optimizer(params.optimizer, PLAIN, batches, fused=False)
    plain.compile(optimizer, "sparse_categorical_crossentropy")
    order = epoch_order(batches * 32, seed=0, epoch=0)
    history = plain.fit(first.images[order], first.labels[order], batch_size=size, shuffle=False, verbose=0).history

    assert result.curves["loss"][0] == pytest.approx(history["loss"][0], rel=1e-5)


def test_dense_networks_are_compiled_and_convolutions_divided_among_the_cores() -> None:
    assert execution_of(params_of("dense128"), cores=2) == Execution(shards=1, xla=True)
    assert execution_of(params_of("cnn1"), cores=1) == Execution(shards=1, xla=False)
    assert execution_of(params_of("cnn1"), cores=2) == Execution(shards=2, xla=False)
    assert execution_of(params_of("cnn1", batch_size=32), cores=64) == Execution(shards=4, xla=False)


def test_a_network_with_batch_normalization_sees_whole_batches() -> None:
    def normalized() -> keras.Model:
        return keras.Sequential([keras.Input((28, 28, 1)), layers.Conv2D(4, 3), layers.BatchNormalization()])

    assert execution_for(normalized, batch_size=32, cores=2) == Execution(1, xla=False, fused_normalization=True)


def test_a_network_is_trained_in_bfloat16_where_its_recipe_allows_it_and_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def convolutional() -> keras.Model:
        return keras.Sequential([keras.Input((28, 28, 1)), layers.Conv2D(4, 3)])

    def dense() -> keras.Model:
        return keras.Sequential([keras.Input((28,)), layers.Dense(4)])

    def precision(of: Callable[[], keras.Model], wanted: Literal["float32", "bfloat16"], flags: str) -> str:
        monkeypatch.setattr(Path, "read_text", lambda _: f"flags\t\t: fpu {flags} avx2\n")
        return execution_for(of, batch_size=32, cores=2, cpu_precision=wanted).precision

    assert precision(convolutional, "bfloat16", "avx512_bf16") == "mixed_bfloat16"
    assert precision(convolutional, "bfloat16", "amx_bf16") == "mixed_bfloat16"
    assert precision(convolutional, "bfloat16", "avx512f") == "float32"
    assert precision(convolutional, "float32", "avx512_bf16") == "float32"
    assert precision(dense, "bfloat16", "avx512_bf16") == "float32"  # compiled by XLA, which gains nothing by it


def test_fused_batch_normalization_learns_and_answers_what_that_of_keras_does() -> None:
    generator = np.random.default_rng(0)
    images = generator.normal(3, 2, (32, 7, 5, 1)).astype(np.float32)
    labels = generator.integers(0, 10, 32)
    keras.utils.set_random_seed(0)
    plain = keras.Sequential(
        [
            keras.Input((7, 5, 1)),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(momentum=0.7),
            layers.Flatten(),
            layers.Dense(10),
            layers.BatchNormalization(),  # of vectors, which the kernel does not know
        ]
    )
    fused = with_fused_normalization(plain)
    assert [type(layer).__name__ for layer in fused.layers if "Norm" in type(layer).__name__] == [
        "FusedBatchNormalization",
        "BatchNormalization",
    ]
    for model in (plain, fused):
        model.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.fit(images, labels, epochs=3, batch_size=16, shuffle=False, verbose=0)
    for weight, expected in zip(fused.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-5)
    np.testing.assert_allclose(fused.predict(images, verbose=0), plain.predict(images, verbose=0), atol=1e-5)


@pytest.fixture
def _single_precision_again() -> Iterator[None]:
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.usefixtures("_single_precision_again")
def test_what_is_kept_of_a_fused_training_in_bfloat16_is_an_ordinary_model(train: Part, validation: Part) -> None:
    params = params_of("airbench", epochs=1, seeds=[0])
    recipe = PARAMS.recipes["fast"]
    parts = {"train": train, "validation": validation}
    trained = train_model("airbench", params, recipe, parts, Normalization(offset=0, scale=255), 10, [])
    assert trained.record["fused_normalization"]
    inner = trained.model.layers[-2].layers[-1]
    assert {type(layer) for layer in inner.layers if "normalization" in layer.name} == {layers.BatchNormalization}
    assert {layer.compute_dtype for layer in inner.layers} == {"float32"}
    np.testing.assert_array_equal(predict(trained.model, validation.images), trained.probabilities["validation"][0])


@pytest.mark.parametrize("number", [1, 2, 5])
def test_parts_side_by_side_give_what_the_whole_gives(number: int, train: Part) -> None:
    model = model_of(params_of("cnn1"))
    whole, parts = predict(model, train.images[:number]), predict(model, train.images[:number], shards=3)
    np.testing.assert_allclose(parts, whole, atol=1e-6)


def test_a_training_goes_on_from_its_checkpoint_to_the_same_bits(
    train: Part, validation: Part, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipeline.training.checkpoint.SECONDS_BETWEEN_WRITES", 0)
    params = params_of("cnn1", epochs=5)  # which draws dropout masks
    undisturbed = model_of(params)
    expected = fitted("cnn1", undisturbed, params, train, validation)

    with pytest.raises(KilledError):
        fitted("cnn1", model_of(params), params, train, validation, KilledAfter(Path("killed.npz"), "this", epochs=3))
    resumed = model_of(params)
    result = fitted("cnn1", resumed, params, train, validation, Checkpoint(Path("killed.npz"), "this"))

    assert "goes on after epoch 3" in capsys.readouterr().out
    pd.testing.assert_frame_equal(result.curves, expected.curves)
    assert result.best_epoch == expected.best_epoch
    assert predict(resumed, validation.images).tobytes() == predict(undisturbed, validation.images).tobytes()


def test_a_checkpoint_of_something_else_is_not_used(
    train: Part, validation: Part, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipeline.training.checkpoint.SECONDS_BETWEEN_WRITES", 0)
    params = params_of("mlp", epochs=2)
    for fingerprint in ("this", "another"):
        fitted("mlp", model_of(params), params, train, validation, Checkpoint(Path("left.npz"), fingerprint))
    assert "goes on" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["mlp", "cnn1"])
def test_the_same_seed_gives_the_same_bits_and_another_does_not(name: str, train: Part, validation: Part) -> None:
    def predicted(seed: int) -> bytes:
        params = params_of(name, epochs=2)
        model = model_of(params, seed=seed)
        fitted(name, model, params, train, validation, seed=seed)
        return predict(model, validation.images).tobytes()

    zero = predicted(seed=0)
    assert predicted(seed=0) == zero != predicted(seed=1)


@pytest.mark.parametrize("name", ["dense128", "cnn1"])
def test_a_seed_trains_the_same_after_others_and_the_most_accurate_on_validation_is_kept(
    name: str, train: Part, validation: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.training.train.set_up", lambda *_: None)  # this process has computed before
    parts = {"train": train, "validation": validation, "test": train}
    together, alone = (
        train_model(name, params_of(name, epochs=2, seeds=seeds), PLAIN, parts, MINMAX, 10, [])
        for seeds in ([0, 1, 2], [2])
    )
    assert together.probabilities["test"].shape == (3, 300, 10)
    assert together.probabilities["test"][2].tobytes() == alone.probabilities["test"][0].tobytes()

    accuracies = [
        np.mean(of_seed.argmax(axis=1) == validation.labels) for of_seed in together.probabilities["validation"]
    ]
    assert [seed["validation_accuracy"] for seed in together.record["seeds"]] == pytest.approx(accuracies)
    kept = int(np.argmax(accuracies))
    assert together.record["seed"] == kept
    np.testing.assert_array_equal(predict(together.model, train.images), together.probabilities["test"][kept])
    assert together.curves["val_accuracy"].max() == pytest.approx(accuracies[kept])


def test_a_killed_training_does_not_repeat_the_seeds_that_were_done(
    train: Part, validation: Part, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipeline.training.train.set_up", lambda *_: None)
    parts = {"train": train, "validation": validation}
    params = params_of("mlp", epochs=3, seeds=[4, 5])
    undisturbed = train_model("mlp", params, PLAIN, parts, MINMAX, 10, [])
    Path("data/checkpoints/mlp-5.npz").unlink()
    again = train_model("mlp", params, PLAIN, parts, MINMAX, 10, [])
    assert capsys.readouterr().out == "goes on after epoch 3, from data/checkpoints/mlp-4.npz\n"
    for part in parts:
        assert again.probabilities[part].tobytes() == undisturbed.probabilities[part].tobytes()
    forget("mlp")
    assert not list(Path("data/checkpoints").iterdir())


def test_the_best_epoch_by_validation_is_kept(train: Part, validation: Part) -> None:
    # A rate this high makes the validation accuracy jump, so that the last epoch is not the best.
    params = params_of(
        "dense128", epochs=6, optimizer=MODELS["dense128"].optimizer.model_copy(update={"learning_rate": 0.1})
    )
    model = model_of(params)
    result: Fit = fitted("dense128", model, params, train, validation)
    accuracies = result.curves["val_accuracy"]
    assert result.best_epoch == accuracies.argmax() + 1 < len(accuracies)
    kept = np.mean(predict(model, validation.images).argmax(axis=1) == validation.labels)
    assert kept == pytest.approx(accuracies.max())


def test_a_loss_that_is_not_finite_stops_the_training_with_its_epoch_and_batch(train: Part, validation: Part) -> None:
    params = params_of(
        "simple_nn", epochs=5, optimizer=MODELS["simple_nn"].optimizer.model_copy(update={"learning_rate": 1e30})
    )
    with pytest.raises(
        InputError, match=r"models\.simple_nn: found a loss that is not finite in epoch 1, batch 2 of seed 0, .*1e\+30"
    ):
        fitted("simple_nn", model_of(params), params, train, validation)


def test_an_epoch_meets_every_image_once_in_an_order_of_its_own() -> None:
    def order(epoch: int) -> list[int]:
        columns = {"index": epoch_order(images=103, seed=0, epoch=epoch)}
        blocks = [block["index"] for block in epoch_blocks(columns, batch_size=10, batches_per_block=4)]
        assert [block.shape for block in blocks] == [(4, 10), (4, 10), (2, 10), (1, 3)]
        return [index for block in blocks for index in block.ravel().tolist()]

    assert sorted(order(0)) == list(range(103))
    assert order(0) == order(0) != order(1)


def test_a_model_takes_raw_pixels(images: npt.NDArray[np.uint8]) -> None:
    raw = images[:10, ..., np.newaxis]
    params = params_of("dense128")
    by_itself = model_of(params, Normalization(offset=73, scale=90))
    network = by_itself.layers[-1]
    normalized = (raw.astype(np.float32) - 73) / 90
    np.testing.assert_allclose(by_itself.predict(raw, verbose=0), network.predict(normalized, verbose=0), atol=1e-5)


def test_the_device_is_described() -> None:
    assert describe()["device"] == "CPU:0" or "GPU" in str(describe()["device"])
    assert describe()["processor"]
