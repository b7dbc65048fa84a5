"""The page that runs a model, in a real browser: what it shows is what `predict` finds."""

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, expect

from pipeline.data.description import Description
from pipeline.data.formats.idx import read_images, read_labels
from pipeline.data.formats.images import FAINT
from pipeline.io import InputError, write_npz
from pipeline.predict.images import BACKGROUND_TOLERANCE, MIDDLE_GREYS, load_file
from pipeline.predict.onnx_model import OnnxModel
from pipeline.publish.browser_runtime import fetch_archive
from pipeline.publish.try_page import TEMPLATES, Candidate, choose_model, write_try_page
from tests.helpers.browser import opened, serious_violations
from tests.helpers.onnxruntime_web import shared_archive
from tests.helpers.small_run import CLASSES

HOSTILE = ["<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", *CLASSES[2:]]
EXTENT = 27 / 28  # of the frame, as the content of most test images
PROPERTIES = {
    "name": "airbench",
    "height": "28",
    "width": "28",
    "channels": "1",
    "class_names": json.dumps(HOSTILE),
    "background": "dark",
    "content_extent": str(EXTENT),
    "accuracy": "0.9325",
}

Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def prepared(raw_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("try") / "prepared.npz"
    images = read_images(raw_folder / "t10k-images-idx3-ubyte")[..., np.newaxis]
    labels = read_labels(raw_folder / "t10k-labels-idx1-ubyte")
    write_npz(
        path,
        {
            f"{part}_{kind}": array
            for part in ("train", "test")
            for kind, array in (("images", images), ("labels", labels))
        },
    )
    return path


@pytest.fixture(scope="module")
def model(images: Pixels, prepared: Path) -> Path:
    """A network of the architecture that is published, as sure of its answers as a trained one."""
    from pipeline.training.saving import export_onnx
    from tests.helpers.sure_model import sure_model

    path = prepared.with_name("model.onnx")
    export_onnx(sure_model("airbench", images[..., np.newaxis]), path, PROPERTIES)
    return path


@pytest.fixture(scope="module")
def file(model: Path, prepared: Path) -> Path:
    write_try_page(prepared.with_name("try.html"), model, prepared, shared_archive().parent)
    return prepared.with_name("try.html")


@pytest.fixture
def page(browser: Browser, file: Path) -> Iterator[Page]:
    yield from opened(browser, file)


def test_probabilities_are_those_of_predict(page: Page, model: Path, prepared: Path, raw_folder: Path) -> None:
    images = read_images(raw_folder / "t10k-images-idx3-ubyte")[..., np.newaxis]
    found = np.array(
        page.evaluate(
            """async () => {
              const [number, list] = ["number", "probabilities"].map((id) => document.getElementById(id));
              const all = [];
              for (let image = 0; image <= Number(number.max); image++) {
                number.value = image;
                number.dispatchEvent(new Event("input"));
                while (list.ariaBusy === "true") await new Promise((resolve) => setTimeout(resolve));
                all.push([...list.children].map((row) => Number(row.dataset.probability)));
              }
              return all;
            }"""
        )
    )
    expected = OnnxModel(model, 10).predict(images)
    assert len(found) == 200
    assert np.ptp(expected, axis=0).max() > 0.2  # the answers depend on the image
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(found.argmax(axis=1), expected.argmax(axis=1))
