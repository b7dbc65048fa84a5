"""`python -m pipeline publish`: the site, its models and their cards."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
import pytest
from huggingface_hub import ModelCard
from PIL import Image

from pipeline.__main__ import main
from pipeline.config import PublishedResults, load_config
from pipeline.data.dataset import load_test_split
from pipeline.data.description import Description
from pipeline.evaluation.predictions import SeedPredictions
from pipeline.io import InputError, read_json, read_npz
from pipeline.predict.images import content_extent
from pipeline.publish.card import model_card
from pipeline.publish.model import ExportedModel, Project, load_licence
from pipeline.publish.rendering import render
from pipeline.publish.site import Page
from pipeline.publish.try_page import choose_model
from pipeline.report.page.data import Source
from tests.helpers.clone import Clone
from tests.helpers.small_run import CLASSES

MODELS = ["cnn1", "mlp"]
LEFTOVER, OTHERS = ".partial-site-a1b2c3d4", ".partial-site-two-a1b2c3d4"  # of killed runs: of this site, of another


class Published(NamedTuple):
    """A clone, the site that was made in it, and how the page to try a model was asked for."""

    clone: Clone
    site: Path
    tried: list[tuple[Path, ...]]


def publish(*arguments: str) -> None:
    """Run the command in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["pipeline", "publish", *arguments])
        main()


@pytest.fixture(scope="module")
def published(reproduced_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """Two models, published twice into the same folder, first with a third one."""
    folder = tmp_path_factory.mktemp("published")
    clone = Clone(Path(shutil.copytree(reproduced_folder, folder / "clone", symlinks=True)))
    tried: list[tuple[Path, ...]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(clone.folder)
        publish("site", "--model", "dense128", "--no-try-page")
        for name in (LEFTOVER, OTHERS):
            (clone.folder / name).mkdir()
        patch.setattr("pipeline.publish.site.write_try_page", lambda *paths: tried.append(paths))
        publish("site", "--model", *MODELS)
    return Published(clone, clone.folder / "site", tried)


class Links(HTMLParser):
    """The addresses that a page links to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if tag == "a" and name == "href"]


def test_an_earlier_site_is_replaced_and_linked_whole(published: Published) -> None:
    files = {str(path.relative_to(published.site)) for path in published.site.rglob("*") if path.is_file()}
    models = {f"models/{name}/{file}" for name in MODELS for file in ("README.md", "model.onnx")}
    assert files == models | {"index.html", "report.html"}
    page = (published.site / "index.html").read_text(encoding="utf-8")
    assert set(Links(page).found) == models | {"report.html", "try.html"}
    assert (published.site / "report.html").read_bytes() == (published.clone.folder / "reports/index.html").read_bytes()
    assert published.clone.run("git", "status", "--porcelain") == ""
    assert [path.name for path in published.clone.folder.glob(".partial-*")] == [OTHERS]


def test_the_landing_page_may_run_and_load_nothing(published: Published) -> None:
    page = (published.site / "index.html").read_text(encoding="utf-8")
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    assert re.fullmatch(r"default-src 'none'; img-src data:; style-src 'sha256-[\w+/]{43}='", policy)
    assert not re.search(r"<script|style=|\bon\w+=", page)
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page


def test_the_page_to_try_a_model_runs_an_exported_one(published: Published) -> None:
    ((path, onnx, prepared),) = published.tried
    assert path.name == "try.html"
    assert onnx.relative_to(path.parent) in {Path(f"models/{name}/model.onnx") for name in MODELS}
    assert prepared == Path("data/prepared.npz")


@pytest.mark.parametrize("name", MODELS)
def test_a_file_predicts_what_training_exported(published: Published, name: str) -> None:
    folder = published.clone.folder
    test = load_test_split(folder / "data/prepared.npz")
    files = published.site / f"models/{name}/model.onnx", folder / f"data/models/{name}/model.onnx"
    sessions = [onnxruntime.InferenceSession(file) for file in files]
    pixels = {"pixels": test.images.astype(np.float32)}
    found, trained = (session.run(["probabilities"], pixels)[0] for session in sessions)
    assert np.array_equal(found, trained)

    properties, before = (session.get_modelmeta().custom_metadata_map for session in sessions)
    assert properties == before | {
        "class_names": json.dumps(CLASSES),
        "background": "dark",
        "content_extent": str(content_extent(test.images)),
        "data": hashlib.md5((folder / "data/prepared.npz").read_bytes(), usedforsecurity=False).hexdigest(),
        "license": "MIT",
        "commit": published.clone.run("git", "rev-parse", "HEAD").strip(),
        "accuracy": str((found.argmax(axis=1) == test.labels).mean()),
    }


@pytest.mark.parametrize("name", MODELS)
def test_a_card_is_valid_and_says_what_the_metrics_say(published: Published, name: str) -> None:
    card = ModelCard.load(published.site / f"models/{name}/README.md")
    metrics = read_json(published.clone.folder / f"metrics/{name}.json")["test"]
    assert card.data.license == "mit"
    assert card.data.model_name == name
    results = {result.metric_type: result for result in card.data.eval_results or ()}
    assert results["accuracy"].metric_value == metrics["accuracy"]
    assert results["f1"].metric_value == pytest.approx(metrics["f1_macro"])
    assert results["accuracy"].dataset_name == "images of our own"  # a few hundred, not all of Fashion-MNIST
    assert not vars(card.data).get("datasets")
    assert f"| Test accuracy | {metrics['accuracy']:.2%} | {100 * metrics['accuracy_low']:.2f}–".replace("%", " %") in (
        card.text
    )
    assert "article C" in card.text if name == "cnn1" else "article D" in card.text
    assert not re.search(r"[Mm]ore [Ii]nformation [Nn]eeded|\{\{|\bNone\b|\bnan\b", card.text)


def test_a_card_shows_how_to_predict_an_image(published: Published, tmp_path: Path) -> None:
    folder = published.site / "models/cnn1"
    (code,) = re.findall(r"^```python\n(.*?)^```", (folder / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.M)
    assert len(code.splitlines()) == 5
    image = load_test_split(published.clone.folder / "data/prepared.npz").images[0]
    shutil.copy2(folder / "model.onnx", tmp_path)
    Image.fromarray(image.squeeze()).save(tmp_path / "image.png")
    printed = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    predicted = read_npz(published.clone.folder / "data/predictions/cnn1.npz")["test_probabilities"][0, 0].argmax()
    assert printed.stdout.strip() == CLASSES[predicted]


def test_a_picture_is_predicted_as_in_the_pipeline(
    published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = np.full((60, 90), 240, np.uint8)  # is inverted, cropped and centred
    picture[15:45, 40:50] = 60
    Image.fromarray(picture).save(tmp_path / "picture.png")
    monkeypatch.chdir(published.clone.folder)
    for options in (["--model", "cnn1"], ["--onnx", "site/models/cnn1/model.onnx"]):
        monkeypatch.setattr(sys, "argv", ["pipeline", "predict", "--json", *options, str(tmp_path / "picture.png")])
        main()
    from_pipeline, from_file = map(json.loads, capsys.readouterr().out.splitlines())
    assert from_file.pop("probabilities") == pytest.approx(from_pipeline.pop("probabilities"))
    assert from_file | {"out_of_distribution": from_pipeline["out_of_distribution"]} == from_pipeline
    assert from_file["inverted"]
    assert from_file["fitted"]


@pytest.fixture
def own_model(source: Source) -> ExportedModel:
    """A model of Fashion-MNIST with three seeds, without articles, with class names that are markup."""
    classes = ["<i>T|shirt</i>", *list(source.classes)[1:]]
    result = replace(source.results[0], classes=classes)
    return ExportedModel(
        Project(
            load_config(), Description(classes=classes, background=None), "0" * 40, "MIT",
            PublishedResults(articles={}, models={}),
            source.duplicates,
        ),
        result,
        load_config().recipes["plain"],
        Path("model.onnx"),
        (28, 28, 1),
        "0" * 32,
    )  # fmt: skip


def test_a_card_tells_the_best_seed_from_the_mean(own_model: ExportedModel, source: Source) -> None:
    card = model_card(own_model)
    correct = source.results[0].correct
    best = correct[source.results[0].best_index].mean()
    assert f"| Test accuracy of this file, the best seed | {100 * best:.2f} % | |" in card
    assert f"| Test accuracy, mean of 3 seeds | {100 * correct.mean():.2f} % | " in card
    assert f"| Standard deviation between seeds | {100 * correct.mean(axis=1).std(ddof=1):.2f} % | |" in card
    assert "across training and test: 1 equal" in card


def test_a_card_of_fashion_mnist_names_it(own_model: ExportedModel) -> None:
    card = ModelCard(model_card(own_model))
    assert vars(card.data)["datasets"] == ["zalando-datasets/fashion_mnist"]
    assert "An image classifier for Fashion-MNIST" in card.text
    assert not re.search("The article|This design", card.text)


def test_names_are_plain_text_in_cards_and_page(own_model: ExportedModel) -> None:
    assert "<i>" not in model_card(own_model)
    assert r"\<i\>T\|shirt\</i\>" in model_card(own_model)
    texts = {"project": "<b>", "commit": "<i>", "pages": [Page("report.html", "<u>", "<s>")], "missing": ["<em>"]}
    page = render("index.html.j2", models=[own_model], remote=True, style="", **texts)
    for name in ("b", "i", "u", "s", "em"):
        assert f"&lt;{name}&gt;" in page


def test_a_clone_without_results_says_so(fresh_clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(fresh_clone.folder)
    publish("site")
    page = Path("site/index.html").read_text(encoding="utf-8")
    assert "No trained model yet" in page
    assert all(name in page for name in ("dense128", "cnn1", "mlp"))
    with pytest.raises(InputError, match=r"data/dataset\.json: file not found; run `dvc repro preprocess`"):
        publish("site", "--model", "cnn1")
    with pytest.raises(InputError, match="model: found 'cnn7', expected one of dense128, cnn1, mlp"):
        publish("site", "--model", "cnn7")


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Path]:
    """Folders and files that are no site."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/thesis.txt").touch()
    (tmp_path / "page").mkdir()
    (tmp_path / "page/index.html").write_text("<h1>A page of mine</h1>")
    (tmp_path / "extended").mkdir()
    (tmp_path / "extended/index.html").write_text('<meta name="generator" content="python -m pipeline publish">')
    (tmp_path / "extended/CNAME").touch()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    yield tmp_path
    assert (tmp_path / "folder/thesis.txt").exists()
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("folder", "thesis.txt, expected nothing or an earlier site"),
        ("page", "index.html, expected nothing"),
        ("extended", "CNAME, expected nothing"),
        ("file", "a file or a link, expected a folder"),
        ("link", "a file or a link, expected a folder"),
        ("new/../folder", "thesis.txt, expected nothing or an earlier site"),
    ],
)
def test_what_is_no_site_is_never_replaced(places: Path, place: str, found: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"{places / Path(place).name}: found {found}")):
        publish(f"{places}/{place}")


@pytest.mark.parametrize("text", ["[project]", "["])
def test_a_project_without_a_licence_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.toml").write_text(text)
    with pytest.raises(InputError, match=r"p\.toml: project\.license: found none"):
        load_licence(tmp_path / "p.toml")


@pytest.mark.parametrize(
    ("sizes", "chosen"),
    [
        ({"tiny": (10, 0.7), "good": (100_000, 0.9), "equal": (50, 0.9), "best": (100_001, 0.95)}, "good"),
        ({"huge": (900_000, 0.9), "large": (200_000, 0.8)}, "large"),
    ],
    ids=["most accurate small one", "else the smallest"],
)
def test_the_page_runs_a_small_model(
    own_model: ExportedModel, sizes: dict[str, tuple[int, float]], chosen: str
) -> None:
    result = own_model.result

    def validated(accuracy: float) -> dict[str, SeedPredictions]:
        right = np.arange(100) < 100 * accuracy
        probabilities = np.stack([right, ~right], axis=1).astype(np.float32)
        return {"validation": SeedPredictions(np.zeros(100, np.uint8), probabilities[np.newaxis])}

    models = [
        replace(
            own_model,
            result=replace(
                result,
                name=name,
                run=result.run.model_copy(update={"parameters": parameters}),
                predictions=validated(accuracy),
            ),
        )
        for name, (parameters, accuracy) in sizes.items()
    ]
    assert choose_model(models).name == chosen
