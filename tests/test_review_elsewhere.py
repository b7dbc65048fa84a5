"""The review of a repository that is not this one, laid out as DVC's example-get-started is."""

import re
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.io import InputError
from pipeline.review.settings import load_review_settings
from tests.helpers.clone import ROOT, Clone
from tests.helpers.documentation import code_blocks
from tests.helpers.review import review

PAGE = "docs/pull-requests.md"
FILES = {
    "src/prepare.py": """\
import sys
from pathlib import Path

source, folder, share = sys.argv[1:]
rows = Path(source).read_text().split()
Path(folder).mkdir(parents=True)
cut = int(len(rows) * float(share))
Path(folder, "train.tsv").write_text("\\n".join(rows[cut:]))
Path(folder, "test.tsv").write_text("\\n".join(rows[:cut]))
""",
    "src/featurize.py": """\
import shutil
import sys

shutil.copytree(*sys.argv[1:3])
""",
    "src/train.py": """\
import sys
from pathlib import Path

features, model, trees = sys.argv[1:]
Path(model).write_text(f"{trees} {len(list(Path(features).iterdir()))}")
""",
    "src/evaluate.py": """\
import json
import sys
from pathlib import Path

trees = float(Path(sys.argv[1]).read_text().split()[0])
error = 1 / (trees + 1)
metrics = {
    "avg_prec": {"train": 1 - error / 2, "test": 1 - error},
    "roc_auc": {"train": 1 - error / 4, "test": 1 - error / 2},
    "roc_auc_low": {"test": 1 - error * 3 / 4},
    "log_loss": {"test": error},
}
for part in ("train", "test"):
    Path("eval/prc").mkdir(parents=True, exist_ok=True)
    Path(f"eval/prc/{part}.json").write_text(json.dumps([{"precision": 1, "recall": metrics["avg_prec"][part]}]))
Path("eval/metrics.json").write_text(json.dumps(metrics))
""",
    "random.py": 'raise ImportError("a module of the repository, and not the one of Python that DVC imports")\n',
    "data/data.xml": "<row/> <row/> <row/> <row/>\n",
    "params.yaml": "prepare: {split: 0.25, seed: 1}\nfeaturize: {max_features: 10, ngrams: 1}\ntrain: {n_est: 9}\n",
    "dvc.yaml": """\
stages:
  prepare:
    cmd: python src/prepare.py data/data.xml data/prepared ${prepare.split}
    deps: [data/data.xml, src/prepare.py]
    params: [prepare.seed, prepare.split]
    outs: [data/prepared]
  featurize:
    cmd: python src/featurize.py data/prepared data/features
    deps: [data/prepared, src/featurize.py]
    params: [featurize.max_features, featurize.ngrams]
    outs: [data/features]
  train:
    cmd: python src/train.py data/features model.pkl ${train.n_est}
    deps: [data/features, src/train.py]
    params: [train.n_est]
    outs: [model.pkl]
  evaluate:
    cmd: python src/evaluate.py model.pkl data/features
    deps: [data/features, model.pkl, src/evaluate.py]
    outs: [eval: {cache: false}]
metrics: [eval/metrics.json]
plots:
  - PRC: {x: recall, y: {eval/prc/train.json: precision, eval/prc/test.json: precision}}
""",
    "review.yaml": code_blocks(PAGE, "yaml")["settings"],
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The repository, with a branch on which the model has more trees."""
    clone = Clone(tmp_path_factory.mktemp("get-started"))
    for name, text in FILES.items():
        (clone.folder / name).parent.mkdir(exist_ok=True)
        (clone.folder / name).write_text(text)
    clone.run("git", "init", "--quiet", "--initial-branch=main")
    clone.run("dvc", "init", "--quiet")
    clone.run("dvc", "add", "--quiet", "data/data.xml")
    clone.run("dvc", "repro", "--quiet")
    clone.commit("Nine trees")
    clone.run("git", "switch", "--quiet", "--create", "better")
    clone.change("train.n_est", 19)
    clone.run("dvc", "repro", "--quiet")
    clone.commit("More trees")
    clone.run("git", "switch", "--quiet", "main")
    return clone


@pytest.fixture
def branch(built: Clone, tmp_path: Path) -> Clone:
    """A clone without DVC's cache; beside it as `reviewer` lies this repository, from which tests review it."""
    built.run("git", "clone", "--quiet", f"file://{built.folder}", str(tmp_path / "repository"))
    (tmp_path / "reviewer").mkdir()
    for name in ("pipeline", "pyproject.toml", "uv.lock"):
        (tmp_path / "reviewer" / name).symlink_to(ROOT / name)
    (tmp_path / "reviewer/.venv").symlink_to(sys.prefix)
    return Clone(tmp_path / "repository")


def run_as_written(folder: Path, script: str) -> str:
    """Run a command of the page, with the packages that are here already."""
    environment = ("BASE=origin/main", "UV_NO_SYNC=1", "UV_OFFLINE=1")
    return Clone(folder).run("env", *environment, "bash", "-euo", "pipefail", "-c", script)


def test_the_workflow_of_the_page_reviews_an_improvement(branch: Clone, tmp_path: Path) -> None:
    branch.run("git", "switch", "--quiet", "better")
    steps = YAML(typ="safe").load(code_blocks(PAGE, "yaml")["workflow"])["jobs"]["review"]["steps"]
    (step,) = (step for step in steps if step.get("name") == "Review")
    assert set(step["env"]) == {"BASE"}
    run_as_written(tmp_path, step["run"])
    comment = (tmp_path / "review.md").read_text(encoding="utf-8")
    assert "**Passed.** The test loss is 0.05 (base: 0.1), not above 0.12, 0.02 above the base." in comment
    assert "| `eval/metrics.json` | 95.00 % | 97.50 % | +2.50 | 0.1 | 0.05 | −0.05 |" in comment
    assert "| `params.yaml` | `train.n_est` | `9` | `19` |" in comment


def test_a_loss_that_rises_beyond_the_gate_fails(branch: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    branch.run("git", "switch", "--quiet", "--create", "worse", "origin/better")
    branch.run("git", "checkout", "--quiet", "origin/main", ".")
    status, lines, comment = review(branch, capsys, "--base", "origin/better")
    assert (status, lines) == (1, ["failed: The test loss is 0.1 (base: 0.05), above 0.07, 0.02 above the base."])
    assert "| `eval/metrics.json` | 97.50 % | 95.00 % | **−2.50 ▼▼** | 0.05 | 0.1 | +0.05 ▼ |" in comment


def test_a_parameter_without_its_results_is_stale(branch: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    branch.change("featurize.ngrams", 2)
    status, lines, comment = review(branch, capsys, "--base", "origin/main")
    assert (status, lines) == (1, ["stale: featurize: params.yaml: featurize.ngrams has changed"])
    assert "| `featurize` | `params.yaml: featurize.ngrams` has changed |" in comment


def test_without_settings_an_untouched_branch_passes(branch: Clone) -> None:
    """By the command of the page."""
    (branch.folder / "review.yaml").unlink()
    comment = run_as_written(branch.folder, code_blocks(PAGE, "bash")["another-repository"])
    assert "**Passed.** The results are those of the code. There is no gate." in comment
    assert "`dvc metrics diff`: nothing has changed." in comment


COLUMN = "columns: [{metric: loss, lower_is_better: true}]"


@pytest.mark.parametrize(
    ("settings", "mistake"),
    [
        ("metrics: [a.json]", r":1: metrics: found \['a.json'\], expected: no such key; allowed: files, columns, "),
        ("columns: [{name: Loss}]", r":1: columns.0.metric: found nothing, expected: "),
        ("columns: [{metric: a, name: '<b>'}]", r":1: columns.0.name: found '<b>', expected: up to 100 letters"),
        ("columns: [{metric: a, name: www.a.org}]", r":1: columns.0.name: found 'www.a.org', expected: up to 100 "),
        (f"{COLUMN}\ngate: {{file: a, metric: b, max_drop: 1}}", r":2: gate.metric: found 'b', expected: .*: loss"),
        (f"{COLUMN}\ngate: {{file: a, metric: loss}}", r":2: gate.max_drop: found nothing, expected: "),
        (f"{COLUMN}\ngate: {{file: a, metric: loss, max_drop: -1}}", r":2: gate.max_drop: found -1, expected: "),
        (
            f"{COLUMN}\ngate: {{file: a, metric: loss, max_drop: interval}}",
            r":2: gate.max_drop: found 'interval', ",
        ),
        ("files: [", r":1: expected YAML, found a mistake: "),
        ("- files", r":1: the file: found \['files'\], expected: "),
    ],
)
def test_a_mistake_in_the_settings_is_one_line(
    settings: str, mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("review.yaml").write_text(settings)
    with pytest.raises(InputError) as error:
        load_review_settings()
    assert re.match(rf"review\.yaml{mistake}", str(error.value)), error.value
    assert "\n" not in str(error.value)


def test_a_folder_without_dvc_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=rf"^{tmp_path}: found no folder \.dvc, expected the root of a DVC repository"):
        review(Clone(tmp_path), capsys, "--base", "main")
