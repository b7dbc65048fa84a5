"""Write ``try.html``: one file that runs a model in the browser, without a network."""

import gzip
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.data.dataset import load_test_split
from pipeline.data.formats.images import FAINT, OVERSAMPLED
from pipeline.io import InputError, write_text
from pipeline.predict.images import BACKGROUND_TOLERANCE, MIDDLE_GREYS, NEARLY_ALL
from pipeline.predict.model import Metadata, OnnxModel
from pipeline.publish.browser_runtime import CACHE, VERSION, load_runtime
from pipeline.publish.model import ExportedModel
from pipeline.publish.rendering import REPORT_STYLE, TEMPLATES, render

MAX_PARAMETERS = 100_000  # half a megabyte of the page; the models above are up to ten times as large
MAX_IMAGE_BYTES = 12_000_000  # of test images before compression, so that the page stays below 25 MB
SCRIPTS = ["pixels.js", "try.js"]


def choose_model(models: Sequence[ExportedModel]) -> ExportedModel:
    """Return the most accurate model of at most `MAX_PARAMETERS`, or else the smallest.

    Validation images decide, since test images select nothing. Among equals it is the first.
    """
    small = [model for model in models if model.result.run.parameters <= MAX_PARAMETERS]
    smallest = min(models, key=lambda model: model.result.run.parameters)
    return max(small, key=lambda model: model.result.predictions["validation"].correct.mean(), default=smallest)


def write_try_page(path: Path, onnx_file: Path, prepared: Path, cache: Path = CACHE) -> None:
    """Write the page.

    Args:
        path: The page.
        onnx_file: An exported model. Its metadata name the classes and say how a picture is prepared.
        prepared: The archive with the test images.
        cache: The folder for the archive of ONNX Runtime Web, which is downloaded once.

    Raises:
        InputError: A file is absent, damaged, or does not fit the other; or ONNX Runtime Web cannot be downloaded.
    """
    model, test = OnnxModel(onnx_file), load_test_split(prepared)
    metadata = model.read_metadata()
    if test.images.shape[1:] != model.shape:
        found, expected = (" × ".join(map(str, sizes)) for sizes in (test.images.shape[1:], model.shape))
        raise InputError(f"{prepared}: found test images of {found} values, expected {expected} as {onnx_file} takes")
    number = min(len(test.images), MAX_IMAGE_BYTES // test.images[0].nbytes)
    runtime = load_runtime(cache)
    style = "\n".join(file.read_text(encoding="utf-8") for file in (REPORT_STYLE, TEMPLATES / "try.css"))
    script = "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in SCRIPTS)
    page = render(
        "try.html.j2",
        model=metadata,
        shape=model.shape,
        accuracy=float(model.properties["accuracy"]),
        images=number,
        total=len(test.images),
        brush=max(2, min(model.shape[:2]) // 4),
        settings=script_settings(model.shape, metadata),
        style=style,
        scripts=[runtime.script, script],
        packed={
            "images": _pack(test.images[:number].tobytes()),
            "labels": _pack(test.labels[:number].tobytes()),
            "wasm": _pack(runtime.wasm),
            "model": _pack(onnx_file.read_bytes()),
        },
        version=VERSION,
    )
    write_text(path, page)


def script_settings(shape: tuple[int, int, int], metadata: Metadata) -> dict[str, Any]:
    """Collect what the scripts read: a model's images (height, width, channels) and classes, and how files are read."""
    height, width, channels = shape
    return {
        "classes": metadata.class_names,
        "height": height,
        "width": width,
        "channels": channels,
        "background": metadata.background,
        "extent": metadata.content_extent,
        "tolerance": BACKGROUND_TOLERANCE,
        "middle": MIDDLE_GREYS,
        "nearlyAll": NEARLY_ALL,
        "faint": FAINT,
        "oversampled": OVERSAMPLED,
    }


def _pack(content: bytes) -> str:
    """Compress bytes and write them as text. Equal bytes give equal texts."""
    return b64encode(gzip.compress(content, compresslevel=6, mtime=0)).decode()
