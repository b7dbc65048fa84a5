"""Exported models predict what Keras does.

On the 10,000 test images trained models differed by at most 2.0e-5 (single_layer, whose logits are large; the others by
at most 2.6e-6), and never in the predicted class.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest

from pipeline.io import read_json
from tests.helpers.sure_model import MODELS, sure_model

# Both add up the same float32 products in different orders. At 16, the largest logit of `sure_model`, float32 resolves
# 1.9e-6, and sums of hundreds of terms may differ by some ten of these steps. Where no logit moves by more than d, a
# softmax probability p moves by at most 2 p (1 - p) d, which is d / 2 or less.
TOLERANCE = 1e-5

Images = npt.NDArray[np.uint8]


def onnx_runtime_predict(path: Path, images: Images) -> npt.NDArray[np.float32]:
    session = onnxruntime.InferenceSession(path)
    (probabilities,) = session.run(["probabilities"], {"pixels": images.astype(np.float32)})
    return np.asarray(probabilities)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "dense128_short"])  # as dense128
def test_onnx_runtime_gives_keras_probabilities(name: str, images: Images, tmp_path: Path) -> None:
    from pipeline.training.saving import export_onnx, predict

    pixels = images[..., np.newaxis]
    model = sure_model(name, pixels)
    export_onnx(model, tmp_path / f"{name}.onnx", {})
    expected = predict(model, pixels)
    assert expected.max() > 0.8
    assert np.ptp(expected, axis=0).max() > 0.2  # the answers depend on the image
    found = onnx_runtime_predict(tmp_path / f"{name}.onnx", pixels)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=0, atol=1e-6)


def test_the_file_is_valid_for_any_number_of_images(images: Images, tmp_path: Path) -> None:
    from pipeline.training.saving import export_onnx

    path = tmp_path / "models/mlp.onnx"
    export_onnx(sure_model("mlp", images[..., np.newaxis]), path, {"name": "mlp", "seed": 3})
    metadata = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert metadata == {"name": "mlp", "seed": "3"}
    onnx.checker.check_model(onnx.load(path), full_check=True)
    some = images[:3, ..., np.newaxis]
    one_by_one = [onnx_runtime_predict(path, image[np.newaxis]) for image in some]
    np.testing.assert_allclose(onnx_runtime_predict(path, some), np.concatenate(one_by_one), rtol=0, atol=TOLERANCE)
    assert [file.name for file in path.parent.iterdir()] == ["mlp.onnx"]


def test_a_failing_export_leaves_the_file_that_stood_there(images: Images, tmp_path: Path) -> None:
    from pipeline.training.saving import export_onnx

    path = tmp_path / "mlp.onnx"
    path.write_bytes(b"last good one")
    model = sure_model("mlp", images[..., np.newaxis])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("keras.Model.export", None)
        with pytest.raises(TypeError):
            export_onnx(model, path, {})
    assert path.read_bytes() == b"last good one"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("backend", "files"),
    [("tensorflow", {"model.json", "model.keras", "model.onnx"}), ("jax", {"model.json", "model.keras"})],
)
def test_onnx_is_written_where_tensorflow_trains(
    backend: str, files: set[str], monkeypatch: pytest.MonkeyPatch, images: Images, tmp_path: Path
) -> None:
    from pipeline.training.saving import save_model

    model = sure_model("mlp", images[..., np.newaxis])
    monkeypatch.setattr("keras.backend.backend", lambda: backend)
    save_model(model, tmp_path, {"name": "mlp", "seed": 0})
    described = read_json(tmp_path / "model.json")
    assert (described["name"], described["height"], described["classes"]) == ("mlp", 28, 10)
    assert {file.name for file in tmp_path.iterdir()} == files
