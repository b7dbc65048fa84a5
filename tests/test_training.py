"""Training in this process: every model of ``params.yaml`` on the few hundred real images."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from pipeline.catalogue import build
from pipeline.dataset.parts import Normalization, Part
from pipeline.errors import InputError
from pipeline.params.reading import read_params
from pipeline.params.schema import ModelParams
from pipeline.training.batches import epoch_blocks
from pipeline.training.device import describe, make_repeatable
from pipeline.training.fit import Fit, fit, with_normalization
from pipeline.training.predict import predict

MODELS = read_params().models
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


def model_of(params: ModelParams, normalization: Normalization = MINMAX) -> keras.Model:
    make_repeatable(params.seed)
    return with_normalization(build(params.architecture, (28, 28, 1), 10, params.options), normalization)


def params_of(name: str, **changes: Any) -> ModelParams:
    return MODELS[name].model_copy(update=changes)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_trains_predicts_and_survives_saving(name: str, train: Part, validation: Part) -> None:
    params = params_of(name, epochs=2)
    model = model_of(params)
    result = fit(name, model, params, train, validation)
    assert list(result.curves.columns) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]
    assert result.curves["epoch"].tolist() == [1, 2]
    assert Path(f"dvclive/{name}/report.html").exists()

    probabilities = predict(model, validation.images)
    assert probabilities.shape == (300, 10)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    accuracy = np.mean(probabilities.argmax(axis=1) == validation.labels)
    assert accuracy == pytest.approx(result.curves["val_accuracy"][result.best_epoch - 1])

    model.save("model.keras")
    loaded = keras.saving.load_model("model.keras", safe_mode=True)
    np.testing.assert_array_equal(predict(loaded, validation.images), probabilities)


@pytest.mark.parametrize("name", ["dense128", "cnn2"])  # compiled by XLA and not; the second with dropout
def test_the_device_loop_takes_the_steps_of_plain_keras(name: str, train: Part, validation: Part) -> None:
    params = params_of(name, epochs=1)
    looped = model_of(params)
    result = fit(name, looped, params, train, validation)

    plain = model_of(params)
    plain.compile("adam", "sparse_categorical_crossentropy")
    blocks = epoch_blocks(300, batch_size=32, seed=params.seed, epoch=0, batches_per_block=1)
    order = np.concatenate([block[0] for block in blocks])
    history = plain.fit(train.images[order], train.labels[order], batch_size=32, shuffle=False, verbose=0).history

    assert result.curves["loss"][0] == pytest.approx(history["loss"][0], rel=1e-5)
    for ours, theirs in zip(looped.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("name", ["mlp", "cnn1"])
def test_the_same_seed_gives_the_same_bits_and_another_does_not(name: str, train: Part, validation: Part) -> None:
    def predicted(seed: int) -> bytes:
        params = params_of(name, seed=seed, epochs=2)
        model = model_of(params)
        fit(name, model, params, train, validation)
        return predict(model, validation.images).tobytes()

    assert predicted(seed=0) == predicted(seed=0)
    assert predicted(seed=0) != predicted(seed=1)


def test_the_best_epoch_by_validation_is_kept(train: Part, validation: Part) -> None:
    # A rate this high makes the validation accuracy jump, so that the last epoch is not the best.
    params = params_of(
        "dense128", epochs=6, optimizer=MODELS["dense128"].optimizer.model_copy(update={"learning_rate": 0.1})
    )
    model = model_of(params)
    result: Fit = fit("dense128", model, params, train, validation)
    accuracies = result.curves["val_accuracy"]
    assert result.best_epoch == accuracies.argmax() + 1 < len(accuracies)
    kept = np.mean(predict(model, validation.images).argmax(axis=1) == validation.labels)
    assert kept == pytest.approx(accuracies.max())


def test_a_loss_that_is_not_finite_stops_the_training_with_its_epoch(train: Part, validation: Part) -> None:
    params = params_of(
        "simple_nn", epochs=5, optimizer=MODELS["simple_nn"].optimizer.model_copy(update={"learning_rate": 1e30})
    )
    with pytest.raises(InputError, match=r"models\.simple_nn: found a loss that is not finite in epoch 1, .*1e\+30"):
        fit("simple_nn", model_of(params), params, train, validation)


def test_an_epoch_meets_every_image_once_in_an_order_of_its_own() -> None:
    def order(epoch: int) -> list[int]:
        blocks = list(epoch_blocks(images=103, batch_size=10, seed=0, epoch=epoch, batches_per_block=4))
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
