"""docs/use-elsewhere.md: a project that publishes its models, and another repository that uses them."""

import re
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image
from ruamel.yaml import YAML

from pipeline.data.dataset import load_test_split
from pipeline.io import read_json, read_npz
from pipeline.publish.browser_runtime import CACHE, fetch_archive
from tests.helpers.clone import ENVIRONMENT, ROOT, Clone
from tests.helpers.documentation import code_blocks, run_block
from tests.helpers.json_server import serving

PAGE = "docs/use-elsewhere.md"


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files as GitHub Pages does: no listing of folders, no uploads."""

    def list_directory(self, path: object) -> None:
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        pass


@pytest.fixture
def project(clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clone]:
    """The project, its git repository, and a server for the site that it will write."""
    monkeypatch.setitem(ENVIRONMENT, "REPOSITORY", str(tmp_path / "project.git"))
    clone.run("git", "init", "--quiet", "--bare", "--initial-branch=main", ENVIRONMENT["REPOSITORY"])
    clone.run("git", "remote", "add", "origin", ENVIRONMENT["REPOSITORY"])
    clone.run("git", "push", "--quiet", "--set-upstream", "origin", "main")
    archive = fetch_archive(ROOT / CACHE)  # once for all clones
    (clone.folder / CACHE / archive.name).symlink_to(archive)
    handler = partial(QuietHandler, directory=str(clone.folder / "site"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    monkeypatch.setitem(ENVIRONMENT, "SITE", f"http://127.0.0.1:{server.server_port}")
    with serving(server):
        yield clone


def run_python(clone: Clone, block: str) -> str:
    """Run a block of Python in a clone; return what it printed."""
    return clone.run("python", "-c", code_blocks(PAGE, "python")[block]).strip()


@pytest.mark.long
def test_another_repository_uses_what_is_published(project: Clone, tmp_path: Path) -> None:
    done = {block: run_block(project, PAGE, block) for block in ["publish", "remote", "pull", "tag"]}
    assert re.match(r"3 models, report\.html, try\.html, DVC remote\n", done["publish"])
    assert outputs(tmp_path / "newcomer") == outputs(project.folder)

    other = Clone(tmp_path / "other")
    other.folder.mkdir()
    other.run("git", "init", "--quiet")
    run_block(other, PAGE, "file")
    test = load_test_split(project.folder / "data/prepared.npz")
    Image.fromarray(test.images[0].squeeze()).save(other.folder / "image.png")
    predicted = read_npz(project.folder / "data/predictions/mlp.npz")["test_probabilities"][0, 0].argmax()
    assert run_python(other, "onnx") == project.params()["data"]["classes"][predicted]
    run_block(other, PAGE, "get")
    assert (other.folder / "model.onnx").read_bytes() == model_file(project, "mlp", "model.onnx")

    other.run("dvc", "init", "--quiet")
    run_block(other, PAGE, "import")
    assert (other.folder / "models/model.keras").read_bytes() == model_file(project, "mlp", "model.keras")
    project.change("model", "mlp")  # the tag stands for the earlier candidate
    project.commit("Another candidate")
    project.run("git", "push", "--quiet")
    run_block(other, PAGE, "artifact")
    assert (other.folder / "candidate/model.keras").read_bytes() == model_file(project, "dense128", "model.keras")
    accuracy = read_json(project.folder / "metrics/mlp.json")["test"]["accuracy"]
    assert run_python(other, "api") == f"{accuracy} epoch,loss,accuracy,val_loss,val_accuracy"


def outputs(folder: Path) -> dict[str, bytes]:
    """Read the files of a model that DVC caches, by their path."""
    files = [path for path in folder.glob("data/**/*") if "cnn1" in str(path.relative_to(folder)) and path.is_file()]
    assert len(files) == 9  # three of the model, predictions, curves, run, and three of its evaluation
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def model_file(project: Clone, model: str, name: str) -> bytes:
    """Read a file of a model as training wrote it."""
    return (project.folder / f"data/models/{model}" / name).read_bytes()


def test_the_best_model_is_that_of_the_committed_results() -> None:
    accuracies = {
        path.stem: read_json(path)["validation"]["accuracy"]
        for folder in ("metrics", "frontier/metrics")
        for path in Path(folder).glob("*.json")
    }
    best = YAML(typ="safe").load(Path("dvc.yaml"))["artifacts"]["best"]["path"]
    assert Path(best).name == max(accuracies, key=lambda name: accuracies[name])
