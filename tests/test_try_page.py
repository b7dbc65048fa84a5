"""The page that runs a model, in a real browser: what it shows is what `predict` finds."""

import json
import re
import shutil
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, expect

from pipeline.data.description import Description
from pipeline.data.formats.idx import read_images, read_labels
from pipeline.io import InputError, write_npz
from pipeline.predict.images import load_file
from pipeline.predict.model import Metadata, OnnxModel
from pipeline.publish.browser_runtime import Runtime, fetch_archive
from pipeline.publish.rendering import TEMPLATES
from pipeline.publish.try_page import script_settings, write_try_page
from tests.helpers.browser import opened, serious_violations
from tests.helpers.onnxruntime_web import shared_archive
from tests.helpers.small_run import CLASSES

HOSTILE = ["<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", *CLASSES[2:]]
DARK = Description(classes=CLASSES, background="dark")
EXTENT = 27 / 28  # of the frame, as the content of most test images
PROPERTIES = {
    "name": "airbench",
    "class_names": json.dumps(HOSTILE),
    "background": "dark",
    "content_extent": str(EXTENT),
    "accuracy": "0.9325",
}

Pixels = npt.NDArray[np.uint8]


# What a reader may give, by name.
PICTURES: dict[str, Callable[[], Image.Image]] = {
    "of the model's size": lambda: Image.fromarray(noise(28, 28)),
    "large and light": lambda: drawn("RGB", (301, 200), "white", (200, 30, 90)),
    "small and dark": lambda: drawn("L", (9, 7), 10, 200),
    "lit from one side": lambda: lit(drawn("RGB", (80, 61), (150, 150, 150), (20, 60, 20))),
    "lit in patches": lambda: Image.fromarray(noise(5, 6, 3)).resize((90, 81)),
    "of many pixels": lambda: Image.fromarray(noise(25, 31, 3)).resize((517, 463)),
    "flat": lambda: drawn("RGB", (400, 30), (90, 100, 110), (250, 250, 0)),
    "of one grey": lambda: Image.new("L", (50, 40), 190),
    "black on a transparent background": lambda: drawn("RGBA", (90, 120), (0, 0, 0, 0), (0, 0, 0, 255)),
    "white on a transparent background": lambda: drawn("RGBA", (90, 120), (255, 255, 255, 0), (255, 255, 255, 200)),
    "transparent everywhere": lambda: Image.fromarray(noise(33, 47, 4)),
}


def noise(*shape: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def drawn(mode: str, size: tuple[int, int], ground: Any, ink: Any) -> Image.Image:
    """A triangle that touches no edge."""
    image = Image.new(mode, size, ground)
    width, height = size
    corners = [(width // 4, height // 5), (width - 3, height // 2), (width // 3, height - 3)]
    ImageDraw.Draw(image).polygon(corners, fill=ink)
    return image


def lit(image: Image.Image) -> Image.Image:
    """The image under light from its upper left corner."""
    down, right = np.mgrid[-1 : 1 : image.height * 1j, -1 : 1 : image.width * 1j][..., np.newaxis]
    return Image.fromarray((np.asarray(image) - 50 * down - 30.3 * right).clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def originals(raw_folder: Path) -> Pixels:
    return read_images(raw_folder / "t10k-images-idx3-ubyte")[..., np.newaxis]


@pytest.fixture(scope="module")
def prepared(raw_folder: Path, originals: Pixels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    labels = read_labels(raw_folder / "t10k-labels-idx1-ubyte")
    arrays = {f"{part}_{kind}" for part in ("train", "test") for kind in ("images", "labels")}
    path = tmp_path_factory.mktemp("try") / "prepared.npz"
    write_npz(path, {name: originals if name.endswith("images") else labels for name in arrays})
    return path


@pytest.fixture(scope="module")
def model(images: Pixels, prepared: Path) -> Path:
    """A network of an architecture that is exported, as sure of its answers as a trained one."""
    from pipeline.training.saving import export_onnx
    from tests.helpers.sure_model import sure_model

    path = prepared.with_name("model.onnx")
    export_onnx(sure_model("airbench", images[..., np.newaxis]), path, PROPERTIES)
    return path


@pytest.fixture(scope="module")
def file(model: Path, prepared: Path) -> Path:
    path = prepared.with_name("try.html")
    write_try_page(path, model, prepared, shared_archive().parent)
    return path


@pytest.fixture(scope="module")
def page(browser: Browser, file: Path) -> Iterator[Page]:
    """Opened once for several tests, each of which chooses an image first."""
    yield from opened(browser, file)


def choose(page: Page, number: int) -> None:
    page.fill("#number", str(number))
    expect(page.locator("#caption")).to_contain_text(f"Test image {number}:")


def probabilities(page: Page) -> npt.NDArray[np.float64]:
    expect(page.locator("#probabilities")).to_have_attribute("aria-busy", "false")
    rows = page.locator("#probabilities li")
    return np.array(rows.evaluate_all("rows => rows.map((row) => Number(row.dataset.probability))"))


def seen(page: Page) -> Pixels:
    """The pixels that the page draws, (28, 28, 1)."""
    rgba = page.locator("#image").evaluate(
        """canvas => {
          const copy = new OffscreenCanvas(28, 28).getContext("2d", { willReadFrequently: true });
          copy.drawImage(canvas, 0, 0);
          return [...copy.getImageData(0, 0, 28, 28).data];
        }"""
    )
    return np.array(rgba, np.uint8).reshape(28, 28, 4)[..., :1]


def drop(page: Page, path: Path) -> None:
    transfer = page.evaluate_handle(
        """([name, packed]) => {
          const transfer = new DataTransfer();
          const content = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
          transfer.items.add(new File([content], name));
          return transfer;
        }""",
        [path.name, b64encode(path.read_bytes()).decode()],
    )
    page.dispatch_event("#image", "drop", {"dataTransfer": transfer})


def test_probabilities_are_those_of_predict(page: Page, model: Path, originals: Pixels) -> None:
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
    expected = OnnxModel(model, 10).predict(originals)
    assert len(found) == 200
    assert np.ptp(expected, axis=0).max() > 0.2  # the answers depend on the image
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(found.argmax(axis=1), expected.argmax(axis=1))


def test_a_test_image_is_shown_with_its_class(page: Page, prepared: Path, originals: Pixels) -> None:
    with np.load(prepared) as arrays:
        labels = arrays["test_labels"]
    for label in range(3):  # names that would do harm as markup, and another
        number = int(np.flatnonzero(labels == label)[0])
        choose(page, number)
        np.testing.assert_array_equal(seen(page), originals[number])
        expect(page.locator("#probabilities .correct .name")).to_have_text(f"{HOSTILE[label]} (actual)")
        right = probabilities(page).argmax() == label
        expected = "which is right" if right else f"it is {HOSTILE[label]}"
        expect(page.locator("#prediction")).to_contain_text(expected)
    assert page.locator("img").count() == 0
    page.fill("#number", "200")
    expect(page.locator("#caption")).to_have_text("Test images have the numbers 0 to 199.")
    page.click("#random")
    expect(page.locator("#caption")).to_contain_text(f"Test image {page.input_value('#number')}:")


def test_a_dropped_png_gives_what_predict_gives(page: Page, model: Path, originals: Pixels, tmp_path: Path) -> None:
    boot = Image.fromarray(255 - originals[0, ..., 0]).resize((400, 300))
    boot.save(tmp_path / "boot.png")
    expected = load_file(tmp_path / "boot.png", (28, 28, 1), DARK, extent=EXTENT).pixels
    choose(page, 1)
    drop(page, tmp_path / "boot.png")
    expect(page.locator("#caption")).to_have_text("boot.png: cropped to its content and centred, inverted.")
    np.testing.assert_array_equal(seen(page), expected)
    found = OnnxModel(model, 10).predict(expected[np.newaxis])[0]
    np.testing.assert_allclose(probabilities(page), found, rtol=0, atol=1e-5)
    assert page.locator("#probabilities .correct").count() == 0


def test_a_jpeg_differs_by_the_rounding_of_its_decoder(page: Page, tmp_path: Path) -> None:
    """Pillow decodes a JPEG straight to grey; browsers decode it to colours, which are rounded once more."""
    photograph = drawn("RGB", (640, 480), "white", (40, 90, 60))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by the camera
    photograph.save(tmp_path / "photo.jpg", exif=exif)
    expected = load_file(tmp_path / "photo.jpg", (28, 28, 1), DARK, extent=EXTENT).pixels
    page.set_input_files("#file", tmp_path / "photo.jpg")
    expect(page.locator("#caption")).to_contain_text("photo.jpg: cropped")
    np.testing.assert_allclose(seen(page), expected, rtol=0, atol=3)


def test_a_file_that_is_no_picture_changes_nothing(page: Page, originals: Pixels, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    choose(page, 3)
    drop(page, tmp_path / "notes.txt")
    expect(page.locator("#caption")).to_contain_text("notes.txt: found no picture that this browser can read")
    np.testing.assert_array_equal(seen(page), originals[3])


def test_drawing_changes_the_prediction(page: Page, model: Path, originals: Pixels) -> None:
    network = OnnxModel(model, 10)
    choose(page, 5)
    before = probabilities(page)
    box = page.locator("#image").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 3 / 4, box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    expect(page.locator("#caption")).to_contain_text("Changed by hand.")
    edited = seen(page)
    assert edited[13:15, 8:20].min() == edited[13:15, 8:20].max() == 204  # the strength, 80 %
    np.testing.assert_array_equal(edited[:10], originals[5, :10])
    after = probabilities(page)
    assert np.abs(after - before).max() > 0.01
    np.testing.assert_allclose(after, network.predict(edited[np.newaxis])[0], rtol=0, atol=1e-5)
    page.click("#clear")
    assert seen(page).max() == 0
    expect(page.locator("#caption")).to_have_text("")
    page.click("#invert")
    assert seen(page).min() == 255
    blank = np.full((1, 28, 28, 1), 255, np.uint8)
    np.testing.assert_allclose(probabilities(page), network.predict(blank)[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("background", "extent", "channels"),
    [("dark", EXTENT, 1), ("light", EXTENT, 3), ("dark", None, 3), (None, None, 1)],
    ids=["as Fashion-MNIST", "in colour on a light background", "not cropped", "photographs in grey"],
)
def test_pictures_are_prepared_as_by_predict(
    browser: Browser,
    background: Literal["dark", "light"] | None,
    extent: float | None,
    channels: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    description = Description(classes=CLASSES, background=background)
    properties = PROPERTIES | {"background": background or "", "content_extent": str(extent or "")}
    settings = script_settings((28, 24, channels), Metadata.model_validate(properties))
    page = browser.new_page()
    page.add_script_tag(path=TEMPLATES / "pixels.js")
    for name, make in PICTURES.items():
        picture = make()
        picture.save(tmp_path / "picture.png")
        expected = load_file(tmp_path / "picture.png", (28, 24, channels), description, extent=extent)
        packed = b64encode(picture.convert("RGBA").tobytes()).decode()
        found = page.evaluate(
            """([packed, height, width, settings]) => {
              const rgba = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
              const found = prepare(flatten(rgba, height, width, settings), settings);
              return { ...found, pixels: [...found.pixels] };
            }""",
            [packed, picture.height, picture.width, settings],
        )
        np.testing.assert_array_equal(np.reshape(found["pixels"], (28, 24, channels)), expected.pixels, name)
        assert found["inverted"] == expected.source["inverted"], name
        assert found["unclear"] == ("border of grey" in capsys.readouterr().err), name
    page.close()


def test_the_page_is_accessible(browser: Browser, page: Page, file: Path) -> None:
    choose(page, 0)
    assert serious_violations(page) == []
    for phone in opened(browser, file, "dark", width=360):
        assert serious_violations(phone) == []
        assert phone.evaluate("document.documentElement.scrollWidth") == 360


def test_the_page_may_load_nothing(file: Path) -> None:
    policy = file.read_text().partition('Content-Security-Policy" content="')[2].partition('"')[0]
    directives = dict(directive.split(" ", 1) for directive in policy.split("; "))
    scripts = directives.pop("script-src")
    assert re.fullmatch(r"('sha256-\S{44}' ){2}'wasm-unsafe-eval'", scripts)
    assert re.fullmatch(r"'sha256-\S{44}'", directives.pop("style-src"))
    assert directives == {"default-src": "'none'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'"}


def test_many_large_images_are_cut_off(
    model: Path, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.publish.try_page.MAX_IMAGE_BYTES", 10 * 784)
    monkeypatch.setattr("pipeline.publish.try_page.load_runtime", lambda _: Runtime("", b""))
    write_try_page(tmp_path / "try.html", model, prepared)
    assert "the first 10 of 200" in (tmp_path / "try.html").read_text()


def test_test_images_of_another_size_are_refused(model: Path, prepared: Path, tmp_path: Path) -> None:
    with np.load(prepared) as arrays:
        write_npz(
            tmp_path / "prepared.npz",
            {name: array[:, :, :14] if array.ndim == 4 else array for name, array in arrays.items()},
        )
    message = r"prepared.npz: found test images of 28 × 14 × 1 values, expected 28 × 28 × 1 as \S+onnx takes"
    with pytest.raises(InputError, match=message):
        write_try_page(tmp_path / "try.html", model, tmp_path / "prepared.npz")


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder without a line for each request."""

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A mirror of the registry that has no packages yet: the path of the archive that is asked for."""
    archive = tmp_path / "registry/onnxruntime-web/-" / shared_archive().name
    archive.parent.mkdir(parents=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path / "registry")) as server:
        threading.Thread(target=server.serve_forever).start()
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", f"http://127.0.0.1:{server.server_port}/")
        yield archive
        server.shutdown()


def test_the_runtime_is_fetched_once_and_checked(registry: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.tgz: cannot be downloaded: 404 .*NPM_CONFIG_REGISTRY"):
        fetch_archive(tmp_path)
    registry.write_bytes(b"other")
    with pytest.raises(InputError, match=r"found 5 bytes of sha512-\S+, expected sha512-q0y"):
        fetch_archive(tmp_path)
    assert list(tmp_path.glob("*.tgz")) == []
    shutil.copy(shared_archive(), registry)
    (tmp_path / registry.name).write_bytes(b"damaged")
    assert fetch_archive(tmp_path).read_bytes() == registry.read_bytes()
    registry.unlink()
    assert fetch_archive(tmp_path) == tmp_path / registry.name


def test_without_a_network_the_error_says_what_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://127.0.0.1:9")  # discard: nothing listens
    with pytest.raises(InputError, match=r"cannot be downloaded: .*refused.*; connect to the network"):
        fetch_archive(tmp_path)
