"""Other people's images through the whole pipeline, by ``params.yaml`` alone."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from pipeline.params.schema import DataParams
from tests.clone import ROOT, Clone
from tests.documentation import run_page

PAGE = "docs/own-data.md"


def ran(printed: str) -> list[str]:
    return re.findall(r"Running stage '(\S+)'", printed)


def test_the_digits_go_through_the_whole_pipeline_in_all_three_forms(clone: Clone) -> None:
    written, reproduced, predicted, other_forms, shared = run_page(clone, "docs/own-data.md")
    assert written == ""
    of_model = ["train@cnn_shi", "evaluate@cnn_shi"]
    assert set(ran(reproduced)) == {"download", "preprocess", "split", "duplicates", *of_model, "candidate", "report"}
    assert "1,437 training and 360 test images of 8 × 8 pixels, grey, 10 classes" in reproduced
    assert predicted.startswith("data/local/digits/test/7/1442.png: 7\n")
    assert ran(other_forms) == ["download", "preprocess"] * 2
    assert ran(shared) == ["download", "preprocess", "split"]

    digits = list("0123456789")
    description = json.loads((clone.folder / "data/dataset.json").read_text())
    assert description == {"classes": digits, "background": "dark"}
    assert (clone.folder / "data/models/cnn_shi/model.onnx").exists()
    test = json.loads((clone.folder / "metrics/candidate.json").read_text())["test"]
    assert test["accuracy"] > 0.8
    page = (clone.folder / "reports/index.html").read_text(encoding="utf-8")
    assert "1 model compared on 360 test images" in page
    assert "Images of 8 × 8 pixels." in page
    assert f'"classes": {json.dumps(digits)}' in page
    results = (clone.folder / "reports/results.md").read_text(encoding="utf-8")
    assert "360 test images" in results
    assert "laim" not in results

    clone.change("data.format", "images")
    assert clone.dvc("repro", "split").ran == {"download", "preprocess"}
    assert clone.dvc("repro", "split").ran == set()
    (clone.folder / "data/local/digits/train/7/0007.png").unlink()
    assert clone.dvc("repro", "split").ran == {"download", "preprocess", "split"}


@pytest.fixture
def photographs(clone: Clone) -> Clone:
    """Pictures of several sizes and both forms that are mostly red, green or blue; the colour is all that differs."""
    generator = np.random.default_rng(0)
    for channel, name in enumerate(["red & <b>hot", "green", "blue"]):
        folder = clone.folder / "data/local/photographs" / name
        folder.mkdir(parents=True)
        for number in range(20):
            height, width = generator.integers(20, 60, size=2)
            pixels = generator.integers(80, size=(height, width, 3), dtype=np.uint8)
            pixels[..., channel] += 150
            Image.fromarray(pixels).save(folder / f"{number}.{'png' if number % 2 else 'jpg'}")
    params = clone.params()
    params["model"] = "mlp"
    params["data"] |= {"format": "images", "classes": None}
    params["data"]["images"] = {
        "train": "data/local/photographs",
        "test": {"share": 0.25, "seed": 0},
        "resize": {"height": 12, "width": 16},
        "color": "rgb",
    }
    params["models"] = {"mlp": params["models"]["mlp"] | {"epochs": 20, "batch_size": 8}}
    params["report"]["claims"] = {}
    clone.write_params(params)
    return clone


def test_images_in_colour_are_resized_trained_shown_and_predicted(photographs: Clone) -> None:
    photographs.dvc("repro", "candidate", "report")
    classes = ["blue", "green", "red & <b>hot"]
    description = json.loads((photographs.folder / "data/dataset.json").read_text())
    assert description == {"classes": classes, "background": None}
    with np.load(photographs.folder / "data/prepared.npz") as prepared:
        assert prepared["train_images"].shape == (45, 12, 16, 3)
        assert np.bincount(prepared["test_labels"]).tolist() == [5, 5, 5]
    assert json.loads((photographs.folder / "metrics/mlp.json").read_text())["test"]["accuracy"] == 1
    page = (photographs.folder / "reports/index.html").read_text(encoding="utf-8")
    assert "12 × 16 pixels in red, green and blue" in page
    assert "<b>hot" not in page

    files = [f"data/local/photographs/{name}/0.jpg" for name in classes]
    printed = photographs.run("python", "-m", "pipeline", "predict", "--json", "--plot", "predictions.png", *files)
    answers = [json.loads(line) for line in printed.splitlines()]
    assert [answer["predicted"] for answer in answers] == classes
    assert not any(answer["inverted"] for answer in answers)


def test_a_wrong_input_stops_the_stage_with_one_line(photographs: Clone) -> None:
    (photographs.folder / "data/local/photographs/green/3.png").write_bytes(b"no image")
    with pytest.raises(AssertionError) as error:
        photographs.dvc("repro", "split")
    said = "error: data/local/photographs/green/3.png: found no PNG or JPEG image, expected one\n"
    assert said in str(error.value)
    assert "Traceback" not in str(error.value)


def test_what_the_page_says_of_params_is_allowed() -> None:
    """Each YAML block changes the committed ``data`` section into one that the schema takes."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", (ROOT / PAGE).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert [YAML(typ="safe").load(block)["data"]["format"] for block in blocks] == ["images", "idx", "csv"]
    for block in blocks:
        committed = YAML(typ="safe", pure=True).load(Path("params.yaml"))["data"]
        DataParams.model_validate(committed | YAML(typ="safe", pure=True).load(block)["data"])
