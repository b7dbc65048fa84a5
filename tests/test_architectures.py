"""What two architectures compute, held against the formulas they come from; what images all of them take."""

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pytest

from pipeline.architectures import single_layer
from pipeline.architectures.lenet5 import RBF
from pipeline.config import load_config
from pipeline.data.dataset import Split
from pipeline.io import InputError
from pipeline.training.model import build_network, with_normalization
from pipeline.training.runtime import ExecutionPlan, seed_everything
from tests.helpers.training import MINMAX, MODELS, Small, config_of

Matrix = npt.NDArray[np.float64]


@pytest.fixture
def double_precision() -> Iterator[None]:
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


@pytest.fixture
def pixels(images: npt.NDArray[np.uint8]) -> Matrix:
    """Normalized pixels (600, 784)."""
    return images.reshape(600, 784) / 255


def loss(weights: list[Matrix], pixels: Matrix, labels: npt.NDArray[np.uint8]) -> float:
    """Article D's cross-entropy, a mean over the images: -log of the softmax at the label, over tanh units."""
    hidden_kernel, hidden_bias, kernel, bias = weights
    scores = np.tanh(pixels @ hidden_kernel + hidden_bias) @ kernel + bias
    scores -= scores.max(axis=1, keepdims=True)
    log_softmax = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return float(-log_softmax[np.arange(len(labels)), labels].mean())


def gradients(weights: list[Matrix], pixels: Matrix, labels: npt.NDArray[np.uint8]) -> list[Matrix]:
    """Article D's formulas for the derivatives of `loss`."""
    hidden_kernel, hidden_bias, kernel, bias = weights
    hidden = np.tanh(pixels @ hidden_kernel + hidden_bias)
    exponentials = np.exp(hidden @ kernel + bias)
    error = exponentials / exponentials.sum(axis=1, keepdims=True)
    error[np.arange(len(labels)), labels] -= 1
    error /= len(labels)
    hidden_error = error @ kernel.T * (1 - hidden**2)
    return [pixels.T @ hidden_error, hidden_error.sum(axis=0), hidden.T @ error, error.sum(axis=0)]


@pytest.mark.usefixtures("double_precision")
def test_the_formulas_of_single_layer_are_its_gradients(pixels: Matrix, labels: npt.NDArray[np.uint8]) -> None:
    seed_everything(0)
    network = single_layer.build((28, 28, 1), 10, hidden=5, initial_stddev=0.5)
    weights = [np.asarray(weight, dtype=np.float64) for weight in network.get_weights()]
    computed = network(pixels.reshape(600, 28, 28, 1)).numpy()
    assert -np.log(computed[np.arange(600), labels]).mean() == pytest.approx(loss(weights, pixels, labels), rel=1e-12)

    generator, step = np.random.default_rng(0), 1e-6
    for position, gradient in enumerate(gradients(weights, pixels, labels)):
        direction = generator.standard_normal(gradient.shape)
        ahead, behind = (
            [*weights[:position], weights[position] + sign * step * direction, *weights[position + 1 :]]
            for sign in (1, -1)
        )
        difference = (loss(ahead, pixels, labels) - loss(behind, pixels, labels)) / (2 * step)
        assert difference == pytest.approx(float((gradient * direction).sum()), rel=1e-6)


def test_single_layer_takes_a_step_of_gradient_descent(
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.uint8],
    pixels: Matrix,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    seed_everything(0)
    network = single_layer.build((28, 28, 1), 10, **MODELS["single_layer"].options)
    before = [np.asarray(weight, dtype=np.float64) for weight in network.get_weights()]
    config = config_of("single_layer", epochs=1)
    small = Small(*[Split(images[..., np.newaxis], labels)] * 2)
    small.fit(
        with_normalization(network, MINMAX),
        small.job("single_layer", config, plan=ExecutionPlan(shards=1, xla=True)),
    )
    for old, new, gradient in zip(before, network.get_weights(), gradients(before, pixels, labels), strict=True):
        np.testing.assert_allclose(new, old - config.optimizer.learning_rate * gradient, atol=1e-5)


def test_rbf_units_compute_their_formula_also_when_loaded(tmp_path: Path) -> None:
    inputs = np.random.default_rng(0).normal(size=(7, 84)).astype(np.float32) * 0.1
    model = keras.Sequential([keras.Input((84,)), RBF(10, gamma=0.5)])
    (centres,) = model.get_weights()
    expected = [[np.exp(-0.5 * np.sum((x - centre) ** 2)) for centre in centres] for x in inputs]
    np.testing.assert_allclose(model.predict(inputs, verbose=0), expected, rtol=1e-5)

    model.save(tmp_path / "rbf.keras")
    loaded = keras.saving.load_model(tmp_path / "rbf.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded.predict(inputs, verbose=0), model.predict(inputs, verbose=0))


@pytest.mark.parametrize("name", [name for name in MODELS if name != "dense128_short"])  # as dense128
@pytest.mark.parametrize("shape", [(16, 16, 1), (32, 20, 3), (40, 48, 3)])
def test_each_model_takes_other_sizes_and_colours(name: str, shape: tuple[int, int, int]) -> None:
    network = build_network(MODELS[name].architecture, shape, 3, MODELS[name].options)
    assert network.input_shape == (None, *shape)
    assert network.output_shape == (None, 3)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("cnn1", (8, 8, 1), "architecture cnn1: found images of 8 × 8 pixels, expected at least 14 × 14"),
        ("cnn1", (40, 3, 3), "architecture cnn1: found images of 40 × 3 pixels, expected at least 14 × 14"),
        ("cnn2", (3, 3, 1), "architecture cnn2: found images of 3 × 3 pixels, expected at least 4 × 4"),
    ],
)
def test_images_that_are_too_small_name_the_smallest_size(name: str, shape: tuple[int, int, int], message: str) -> None:
    with pytest.raises(InputError) as error:
        build_network(MODELS[name].architecture, shape, 10, MODELS[name].options)
    assert str(error.value) == message


def test_errors_of_build_are_not_blamed_on_image_size() -> None:
    with pytest.raises(ValueError, match="filters") as error:
        build_network("cnn_grid", (28, 28, 1), 10, {"blocks": 1, "dense_layers": 1, "filters": -1, "units": 1})
    assert not isinstance(error.value, InputError)


def test_the_wide_resnet_config_differs_in_models_and_recipes() -> None:
    wide = load_config(Path("configs/wide_resnet.yaml"))
    assert wide.data == load_config().data
    assert wide.splits.items() <= load_config().splits.items()
    assert {params.architecture for params in wide.models.values()} == {"wide_resnet"}


def test_a_wide_resnet_has_the_layers_that_its_name_counts() -> None:
    network = build_network("wide_resnet", (28, 28, 1), 10, {"depth": 16, "widen_factor": 2, "dropout": 0.3})
    kernels = [layer.kernel.shape for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    threes = [shape for shape in kernels if shape[0] == 3]
    shortcuts = [shape for shape in kernels if shape[0] == 1]
    assert len(threes) + len(shortcuts) == 16
    assert [shape[-1] for shape in shortcuts] == [32, 64, 128]
    assert network.layers[-2].input.shape == (None, 7, 7, 128)


@pytest.mark.parametrize(("pool_after", "widths"), [("first", [14, 7, 7, 3]), ("second", [14, 14, 7, 7])])
def test_airbench_pools_after_the_convolution_it_names(pool_after: str, widths: list[int]) -> None:
    network = build_network("airbench", (28, 28, 1), 10, MODELS["airbench"].options | {"pool_after": pool_after})
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [layer.input.shape[1] for layer in convolutions] == [28, *widths]
    assert (
        network.count_params() == build_network("airbench", (28, 28, 1), 10, MODELS["airbench"].options).count_params()
    )
