"""Training in this process: every model of ``params.yaml`` on the few hundred real images."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt
import pytest
from keras import layers

from pipeline.config_models import SgdOptimizer
from pipeline.data.dataset import SPLITS, Normalization, Split
from pipeline.io import InputError
from pipeline.training.backends.tensorflow import with_fused_normalization
from pipeline.training.callbacks import Checkpoint
from pipeline.training.optimizers import make_optimizer
from pipeline.training.runtime import ExecutionPlan, hardware_info, plan_execution
from pipeline.training.sampler import batch_size_of, epoch_blocks, epoch_order
from pipeline.training.saving import predict
from pipeline.training.train import train
from tests.helpers.training import (
    CONFIG,
    MODELS,
    PLAIN,
    Small,
    build_seeded,
    config_of,
    plan_for,
)

# Of models that differ in size or epochs alone, the quickest.
DISTINCT = [name for name in MODELS if name not in {"dense128", "dense128_short", "airbench"}]


@pytest.fixture
def small(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> Small:
    return Small(Split(images[::2, ..., np.newaxis], labels[::2]), Split(images[1::2, ..., np.newaxis], labels[1::2]))


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # DVCLive writes to the working folder


def without_dropout(model: keras.Model) -> keras.Model:
    """The parts of a batch draw masks of their own, so that steps can be compared without masks alone."""
    for layer in model.layers[-1].layers:
        if isinstance(layer, layers.Dropout):
            layer.rate = 0
    return model


@pytest.mark.parametrize("name", DISTINCT)
def test_each_model_takes_keras_steps_and_survives_saving(name: str, small: Small) -> None:
    batches = 3  # more of them, and Adam makes the rounding of tiny gradients as large as a step
    config = config_of(name, epochs=2, batch_size=32 if MODELS[name].batch_size != "full" else "full")
    size = batch_size_of(config, images=batches * 32)
    first = Split(small.train.images[: batches * 32], small.train.labels[: batches * 32])
    few = Small(first, small.validation)
    model = without_dropout(build_seeded(config))
    result = few.fit(model, few.job(name, config))
    assert list(result.curves.columns) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]
    assert result.curves["epoch"].tolist() == [1, 2]
    assert Path(f"dvclive/{name}/0/report.html").exists()

    plain = without_dropout(build_seeded(config))
    optimizer = make_optimizer(config.optimizer, PLAIN, 2 * batches, fused=False)
    plain.compile(optimizer, "sparse_categorical_crossentropy")
    order = epoch_order(batches * 32, seed=0, epoch=0)
    history = plain.fit(first.images[order], first.labels[order], batch_size=size, shuffle=False, verbose=0).history
    assert result.curves["loss"][0] == pytest.approx(history["loss"][0], rel=1e-5)

    probabilities = predict(model, small.validation.images)
    assert probabilities.shape == (300, 10)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    accuracy = np.mean(probabilities.argmax(axis=1) == small.validation.labels)
    assert accuracy == pytest.approx(result.curves["val_accuracy"][result.best_epoch - 1])

    model.save("model.keras")
    loaded = keras.saving.load_model("model.keras", safe_mode=True)
    np.testing.assert_array_equal(predict(loaded, small.validation.images), probabilities)


@pytest.mark.parametrize("name", ["cnn_shi", "lenet5_relu"])
def test_a_saturated_network_takes_the_same_step_in_shards(name: str, small: Small) -> None:
    config = config_of(name, epochs=1, optimizer=SgdOptimizer(name="sgd", learning_rate=0.01, momentum=0.0))
    batch = Small(Split(small.train.images[:32], small.train.labels[:32]), small.validation)

    def step(shards: int) -> tuple[list[npt.NDArray[Any]], float]:
        model = build_seeded(config)
        kernel, _ = model.layers[-1].layers[-1].trainable_variables
        kernel.assign(kernel * 300)
        probabilities = predict(model, batch.train.images)[np.arange(32), batch.train.labels]
        assert np.mean(probabilities < 1e-7) > 0.5  # Keras clips there, and gives no gradient
        before = model.get_weights()
        result = batch.fit(model, batch.job(name, config, plan=ExecutionPlan(shards=shards, xla=False)))
        changes = [new - old for new, old in zip(model.get_weights(), before, strict=True)]
        return changes, result.curves["loss"][0]

    (whole, loss), (sharded, sharded_loss) = step(shards=1), step(shards=2)
    assert loss > -np.log(1e-7)
    assert sharded_loss == pytest.approx(loss, rel=1e-5)
    for change, expected in zip(sharded, whole, strict=True):
        np.testing.assert_allclose(change, expected, rtol=0, atol=2e-5 * np.abs(expected).max())


def test_xla_compiles_dense_networks_and_shards_convolutions() -> None:
    assert plan_for(config_of("dense128"), cores=2) == ExecutionPlan(shards=1, xla=True)
    assert plan_for(config_of("cnn1"), cores=1) == ExecutionPlan(shards=1, xla=False)
    assert plan_for(config_of("cnn1"), cores=2) == ExecutionPlan(shards=2, xla=False)
    assert plan_for(config_of("cnn1", batch_size=32), cores=64) == ExecutionPlan(shards=4, xla=False)


def test_a_network_with_batch_normalization_sees_whole_batches() -> None:
    def normalized() -> keras.Model:
        return keras.Sequential([keras.Input((28, 28, 1)), layers.Conv2D(4, 3), layers.BatchNormalization()])

    assert plan_execution(normalized, batch_size=32, cores=2) == ExecutionPlan(1, xla=False, fused_normalization=True)


def test_bfloat16_needs_the_recipe_and_the_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def convolutional() -> keras.Model:
        return keras.Sequential([keras.Input((28, 28, 1)), layers.Conv2D(4, 3)])

    def dense() -> keras.Model:
        return keras.Sequential([keras.Input((28,)), layers.Dense(4)])

    def precision(of: Callable[[], keras.Model], wanted: Literal["float32", "bfloat16"], flags: str) -> str:
        monkeypatch.setattr(Path, "read_text", lambda _: f"flags\t\t: fpu {flags} avx2\n")
        return plan_execution(of, batch_size=32, cores=2, cpu_precision=wanted).precision

    assert precision(convolutional, "bfloat16", "avx512_bf16") == "mixed_bfloat16"
    assert precision(convolutional, "bfloat16", "amx_bf16") == "mixed_bfloat16"
    assert precision(convolutional, "bfloat16", "avx512f") == "float32"
    assert precision(convolutional, "float32", "avx512_bf16") == "float32"
    assert precision(dense, "bfloat16", "avx512_bf16") == "float32"  # compiled by XLA, which gains nothing by it


def test_fused_batch_normalization_equals_that_of_keras() -> None:
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
def test_a_model_trained_in_bfloat16_is_saved_in_float32(small: Small) -> None:
    config = config_of("airbench", epochs=1, seeds=[0])
    recipe = CONFIG.recipes["fast"]
    plan = plan_for(config, cores=2, cpu_precision="bfloat16")
    trained = train(small.job("airbench", config, recipe, plan))
    assert trained.record["fused_normalization"]
    inner = trained.model.layers[-2].layers[-1]
    assert {type(layer) for layer in inner.layers if "normalization" in layer.name} == {layers.BatchNormalization}
    assert {layer.compute_dtype for layer in inner.layers} == {"float32"}
    expected = trained.probabilities["validation"][0]
    np.testing.assert_array_equal(predict(trained.model, small.validation.images), expected)


@pytest.mark.parametrize("number", [1, 2, 5])
def test_shards_predict_what_the_whole_batch_predicts(number: int, small: Small) -> None:
    model = build_seeded(config_of("cnn1"))
    whole, parts = predict(model, small.train.images[:number]), predict(model, small.train.images[:number], shards=3)
    np.testing.assert_allclose(parts, whole, atol=1e-6)


def test_a_checkpoint_with_another_fingerprint_is_ignored(
    small: Small, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipeline.training.callbacks.SECONDS_BETWEEN_WRITES", 0)
    config = config_of("mlp", epochs=2)
    for fingerprint in ("this", "another"):
        small.fit(build_seeded(config), small.job("mlp", config), Checkpoint(Path("left.npz"), fingerprint))
    assert "Resuming" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["dense128", "cnn1"])
def test_seeds_repeat_differ_and_the_best_is_kept(name: str, small: Small) -> None:
    together, alone = (train(small.job(name, config_of(name, epochs=2, seeds=seeds))) for seeds in ([0, 1], [1]))
    assert together.probabilities["test"].shape == (2, 300, 10)
    zero, one = (probabilities.tobytes() for probabilities in together.probabilities["test"])
    assert zero != one == alone.probabilities["test"][0].tobytes()

    correct = together.probabilities["validation"].argmax(axis=2) == small.validation.labels
    accuracies = correct.mean(axis=1).tolist()
    assert [seed["validation_accuracy"] for seed in together.record["seeds"]] == pytest.approx(accuracies)
    best = int(np.argmax(accuracies))
    assert together.record["seed"] == best
    again = predict(together.model, small.train.images, together.record["shards"])  # other parts may round differently
    np.testing.assert_array_equal(again, together.probabilities["test"][best])
    assert together.curves["val_accuracy"].max() == pytest.approx(accuracies[best])


def test_a_killed_training_does_not_repeat_finished_seeds(small: Small, capsys: pytest.CaptureFixture[str]) -> None:
    job = small.job("mlp", config_of("mlp", epochs=3, seeds=[4, 5]))
    undisturbed = train(job)
    Path("data/checkpoints/mlp-5.npz").unlink()
    again = train(job)
    assert capsys.readouterr().out == "Resuming after epoch 3 (data/checkpoints/mlp-4.npz)\n"
    for split in SPLITS:
        assert again.probabilities[split].tobytes() == undisturbed.probabilities[split].tobytes()
    job.delete_checkpoints()
    assert not list(Path("data/checkpoints").iterdir())


def test_the_best_epoch_by_validation_accuracy_is_kept(small: Small) -> None:
    # A rate this high makes the validation accuracy jump, so that the last epoch is not the best.
    config = config_of(
        "dense128", epochs=6, optimizer=MODELS["dense128"].optimizer.model_copy(update={"learning_rate": 0.1})
    )
    model = build_seeded(config)
    result = small.fit(model, small.job("dense128", config))
    accuracies = result.curves["val_accuracy"]
    assert result.best_epoch == accuracies.argmax() + 1 < len(accuracies)
    kept = np.mean(predict(model, small.validation.images).argmax(axis=1) == small.validation.labels)
    assert kept == pytest.approx(accuracies.max())


def test_a_loss_that_is_not_finite_names_epoch_and_batch(small: Small) -> None:
    config = config_of(
        "simple_nn", epochs=5, optimizer=MODELS["simple_nn"].optimizer.model_copy(update={"learning_rate": 1e30})
    )
    with pytest.raises(
        InputError, match=r"models\.simple_nn: loss became NaN or infinite in epoch 1, batch 2 \(seed 0\); .*1e\+30"
    ):
        small.fit(build_seeded(config), small.job("simple_nn", config))


def test_an_epoch_has_every_image_once_in_its_own_order() -> None:
    def order(epoch: int) -> list[int]:
        columns = {"index": epoch_order(images=103, seed=0, epoch=epoch)}
        blocks = [block["index"] for block in epoch_blocks(columns, batch_size=10, steps_per_block=4)]
        assert [block.shape for block in blocks] == [(4, 10), (4, 10), (2, 10), (1, 3)]
        return [index for block in blocks for index in block.ravel().tolist()]

    assert sorted(order(0)) == list(range(103))
    assert order(0) == order(0) != order(1)


def test_a_model_takes_raw_pixels(images: npt.NDArray[np.uint8]) -> None:
    raw = images[:10, ..., np.newaxis]
    config = config_of("dense128")
    by_itself = build_seeded(config, Normalization(offset=73, scale=90))
    network = by_itself.layers[-1]
    normalized = (raw.astype(np.float32) - 73) / 90
    np.testing.assert_allclose(by_itself.predict(raw, verbose=0), network.predict(normalized, verbose=0), atol=1e-5)


def test_hardware_info_names_device_and_processor() -> None:
    assert hardware_info()["device"] == "CPU:0" or "GPU" in str(hardware_info()["device"])
    assert hardware_info()["processor"]
