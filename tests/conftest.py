"""What several test files share: a few hundred real images, and clones of the repository that use them."""

import gzip
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from filelock import FileLock
from hypothesis import settings

from pipeline.data.formats.idx import read_images, read_labels
from tests.helpers.clone import Clone, add_frontier, clone_working_tree
from tests.helpers.toy import toy_repository

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from pipeline.report.page.data import Source

settings.register_profile("pipeline", deadline=None)  # a busy machine is no failure
settings.load_profile("pipeline")
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"  # what `prepare_backend` does, for tests that train in this process


collect_ignore = ["helpers/environment"]  # a start-up file for other processes, with effects when it is imported

LONGEST = [
    "teams",
    "sweeps",
    "sweeps_on_ray",
    "use_elsewhere",
    "own_data",
    "kills",
    "experiments",
    "sweep_repositories",
    "staleness",
]
# What `make test-fast` leaves out: tests with these fixtures, which run DVC, train or browse, and files that do so. Two
# files build the page or damage hundreds of files.
SLOW_FIXTURES = {"reproduced_folder", "toy_folder", "small", "browser"}
SLOW_FILES = {
    "accept_comments",
    "browser",
    "crafted_models",
    "damaged_files",
    "evaluation_stages",
    "jax",
    "merge_lock",
    "onnx",
    "page",
    "review_elsewhere",
    "staleness",
    "sweep_repositories",
    "training_process",
    "try_page",
    "two_repros",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest first, so that no process waits for another's at the end, and then the other slow ones.

    One process makes the clone that most of these share while the others do the rest.
    """
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if SLOW_FIXTURES & fixtures or item.path.stem.removeprefix("test_") in SLOW_FILES:
            item.add_marker(pytest.mark.slow)

    def place(item: pytest.Item) -> int:
        if item.get_closest_marker("slow") is None:
            return len(LONGEST) + 1
        name = item.path.stem.removeprefix("test_")
        return LONGEST.index(name) if name in LONGEST else len(LONGEST)

    items.sort(key=place)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """600 training and 200 test images of Fashion-MNIST as gzipped IDX files, 60 and 20 of each class."""
    return Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def raw_folder(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same files unpacked."""
    folder = tmp_path_factory.mktemp("raw")
    for path in data_folder.glob("*.gz"):
        (folder / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    return folder


@pytest.fixture(scope="session")
def images(raw_folder: Path) -> npt.NDArray[np.uint8]:
    """The 600 training images, (600, 28, 28)."""
    return read_images(raw_folder / "train-images-idx3-ubyte")


@pytest.fixture(scope="session")
def labels(raw_folder: Path) -> npt.NDArray[np.uint8]:
    """Their labels, (600,)."""
    return read_labels(raw_folder / "train-labels-idx1-ubyte")


@pytest.fixture(scope="module")
def data(raw_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stages before the report leave: four models, whose predictions are drawn at random."""
    from tests.helpers.small_run import write_small_run  # imports the report, which most tests do without

    folder = tmp_path_factory.mktemp("data")
    write_small_run(raw_folder, folder)
    return folder


@pytest.fixture(scope="module")
def source(data: Path) -> "Source":
    """The same, read for the page."""
    from tests.helpers.small_run import MODELS, small_source

    return small_source(data, list(MODELS))


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Chromium."""
    from tests.helpers.browser import chromium

    with chromium() as browser:
        yield browser


MadeOnce = Callable[[str, Callable[[Path], None]], Path]


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> MadeOnce:
    """Gives the folder of a name that a function fills, once for all the processes that share the tests."""

    def filled(name: str, fill: Callable[[Path], None]) -> Path:
        folder = tmp_path_factory.mktemp(name)
        fill(folder)
        return folder

    def shared(name: str, fill: Callable[[Path], None]) -> Path:
        link = tmp_path_factory.getbasetemp().parent / name
        with FileLock(f"{link}.lock"):
            if not link.exists():
                link.symlink_to(filled(name, fill))
        return link

    return filled if worker_id == "master" else shared


@pytest.fixture(scope="session")
def reproduced_folder(made_once: MadeOnce) -> Path:
    """A clone of this repository with three models, reproduced once and committed; not to be changed."""

    def reproduce(folder: Path) -> None:
        clone = clone_working_tree(folder, ["dense128", "cnn1", "mlp"])
        clone.dvc("repro")
        clone.commit("Its results")

    return made_once("reproduced", reproduce)


@pytest.fixture(scope="session")
def toy_folder(made_once: MadeOnce) -> Path:
    """Two small pipelines, run and committed; not to be changed."""
    return made_once("toy", toy_repository)


@pytest.fixture(scope="session")
def frontier_folder(made_once: MadeOnce, reproduced_folder: Path) -> Path:
    """The same and the frontier, in three commits: the pipeline, its model's results, its report; not to be changed."""

    def reproduce(folder: Path) -> None:
        clone = Clone(Path(shutil.copytree(reproduced_folder, folder, symlinks=True, dirs_exist_ok=True)))
        add_frontier(clone, "airbench_small")
        clone.dvc("repro", "frontier/dvc.yaml:evaluate@airbench_small")
        clone.commit("Results of the frontier")
        clone.dvc("repro", "frontier/dvc.yaml")
        clone.commit("And of its report")

    return made_once("frontier", reproduce)


@pytest.fixture
def clone(reproduced_folder: Path, tmp_path: Path) -> Clone:
    """A copy of the reproduced clone, its cache included."""
    return Clone(Path(shutil.copytree(reproduced_folder, tmp_path / "clone", symlinks=True)))


@pytest.fixture
def fresh_clone(reproduced_folder: Path, tmp_path: Path) -> Clone:
    """What `git clone` gives of it: results that are in git, nothing that is in DVC's cache."""
    subprocess.run(["git", "clone", "--quiet", reproduced_folder, tmp_path / "fresh"], check=True)
    return Clone(tmp_path / "fresh")
