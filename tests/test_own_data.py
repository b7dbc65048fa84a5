"""Other people's images through the whole pipeline, by ``params.yaml`` alone."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from pipeline.config_data import DataConfig
from pipeline.io import read_json
from stages import download, duplicates, evaluate, preprocess, report, split, train
from tests.helpers.clone import ROOT, Clone
from tests.helpers.documentation import code_blocks, run_block
from tests.helpers.predicting import documents, predict_here
from tests.helpers.run_stage import run_stage

PAGE = "docs/own-data.md"


def ran(printed: str) -> list[str]:
    return re.findall(r"Running stage '(\S+)'", printed)


def form(name: str) -> dict[str, Any]:
    """Give the section ``data`` for the digits as IDX or CSV, as the page says."""
    section: dict[str, Any] = YAML(typ="safe", pure=True).load(code_blocks(PAGE, "yaml")[name])["data"]
    for key, file in section[name].items():
        if key != "transposed":
            file["name"] = f"{key}.csv" if name == "csv" else key.replace("_", "-")
    section[name]["transposed"] = False
    return section | {"sources": [{"folder": "data/local/digits"}], "classes": None, "normalization": "minmax"}


def test_the_digits_go_through_the_pipeline_in_all_forms(clone: Clone) -> None:
    assert run_block(clone, PAGE, "digits") == ""
    reproduced = run_block(clone, PAGE, "train")
    stages = {"download", "preprocess", "split@standard", "duplicates", "train@cnn_shi", "evaluate@cnn_shi"}
    assert set(ran(reproduced)) == stages | {"candidate", "report"}
    assert (
        "1,437 training and 360 test images of 8 × 8 pixels, grey, pixels from 0 to 255, 0 images blank" in reproduced
    )
    assert "10 classes, labels from the folders' names" in reproduced
    assert run_block(clone, PAGE, "predict").startswith("data/local/digits/test/7/1442.png: 7\n")

    removed = clone.folder / "data/local/digits/train/7/0007.png"
    image = removed.read_bytes()
    removed.unlink()
    assert list(json.loads(clone.run("dvc", "status", "--json"))) == ["download", "preprocess"]
    removed.write_bytes(image)

    folders = clone.params()
    for name in ("idx", "csv"):
        clone.write_params(folders | {"data": form(name)})
        assert ran(clone.run("dvc", "repro")) == ["download", "preprocess"]
    clone.write_params(folders)
    assert ran(run_block(clone, PAGE, "share")) == ["download", "preprocess", "split@standard"]

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


@pytest.fixture
def _photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of several sizes and both forms that are mostly red, green or blue; the colour is all that differs."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    for channel, name in enumerate(["red & <b>hot", "green", "blue"]):
        folder = Path("data/local/photographs") / name
        folder.mkdir(parents=True)
        for number in range(20):
            height, width = generator.integers(20, 60, size=2)
            pixels = generator.integers(80, size=(height, width, 3), dtype=np.uint8)
            pixels[..., channel] += 150
            Image.fromarray(pixels).save(folder / f"{number}.{'png' if number % 2 else 'jpg'}")
    params = YAML().load(ROOT / "params.yaml")
    params |= {"model": "mlp", "published": None}
    params["models"] = {"mlp": params["models"]["mlp"] | {"epochs": 20, "seeds": [0], "batch_size": 8}}
    del params["data"]["idx"]
    params["data"] |= {"sources": [{"folder": "data/local"}], "format": "images", "classes": None}
    params["data"]["images"] = {
        "train": "data/local/photographs",
        "test": {"fraction": 0.25, "seed": 0},
        "resize": {"height": 12, "width": 16},
        "color": "rgb",
    }
    YAML().dump(params, Path("params.yaml"))


@pytest.mark.slow
@pytest.mark.usefixtures("_photographs")
def test_images_in_colour_go_through_the_pipeline(capsys: pytest.CaptureFixture[str]) -> None:
    for stage, *arguments in (
        (download,),
        (preprocess,),
        (split, "article_d"),
        (duplicates,),
        (train, "mlp"),
        (evaluate, "mlp"),
        (report,),
    ):
        run_stage(stage.main, *arguments)
    classes = ["blue", "green", "red & <b>hot"]
    assert read_json(Path("data/dataset.json")) == {"classes": classes, "background": None}
    with np.load("data/prepared.npz") as prepared:
        assert prepared["train_images"].shape == (45, 12, 16, 3)
        assert np.bincount(prepared["test_labels"]).tolist() == [5, 5, 5]
    assert read_json(Path("metrics/mlp.json"))["test"]["accuracy"] == 1
    page = Path("reports/index.html").read_text(encoding="utf-8")
    assert "12 × 16 pixels in red, green and blue" in page
    assert "<b>hot" not in page

    capsys.readouterr()
    files = [f"data/local/photographs/{name}/0.jpg" for name in classes]
    assert predict_here("--json", "--plot", "predictions.png", *files) == 0
    answers = documents(capsys.readouterr().out)
    assert [answer["predicted"] for answer in answers] == classes
    assert not any(answer["inverted"] for answer in answers)


def test_what_the_page_says_of_params_is_allowed() -> None:
    """Each YAML block, with what it leaves out, is a section that the schema takes."""
    blocks = code_blocks(PAGE, "yaml")
    assert list(blocks) == ["images", "idx", "csv"]
    committed = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")["data"]
    del committed["idx"]
    for name, block in blocks.items():
        section = YAML(typ="safe", pure=True).load(block)["data"]
        assert section["format"] == name
        TypeAdapter(DataConfig).validate_python(committed | section)
