"""The review of a pull request: real DVC and git, a bare repository between the author's clone and the reviewer's."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.io import InputError, read_json, write_json
from tests.helpers.clone import ENVIRONMENT, ROOT, Clone, Repro
from tests.helpers.documentation import run_page
from tests.helpers.review import Outcome, review


def review_by_command(clone: Clone, *options: str) -> Outcome:
    """Review as README's readers do, by the code of the clone."""
    command = ["python", "-m", "pipeline", "review", *options]
    done = subprocess.run(command, cwd=clone.folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return Outcome(done.returncode, done.stderr.splitlines(), done.stdout)


def row(comment: str, beginning: str) -> list[str]:
    """The cells of the table's row that begins so."""
    lines = (" ".join(line.split()) for line in comment.splitlines())
    (line,) = (line for line in lines if line.startswith(f"| {beginning}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def pull(clone: Clone, tmp_path: Path, branch: str) -> Clone:
    """Push the author's branch through a bare repository to a reviewer, who has no cache."""
    clone.run("git", "push", "--quiet", str(tmp_path / "bare.git"), branch)
    clone.run("git", "clone", "--quiet", "--branch", branch, str(tmp_path / "bare.git"), str(tmp_path / branch))
    return Clone(tmp_path / branch)


@pytest.fixture
def author(clone: Clone, tmp_path: Path) -> Clone:
    """The author's clone, on a new branch; `main` is in the bare repository."""
    clone.run("git", "init", "--quiet", "--bare", str(tmp_path / "bare.git"))
    clone.run("git", "push", "--quiet", str(tmp_path / "bare.git"), "main")
    clone.run("git", "switch", "--quiet", "--create", "change")
    return clone


def percent(clone: Clone, revision: str, metric: str, name: str) -> str:
    metrics = json.loads(clone.run("git", "show", f"{revision}:metrics/{name}.json"))
    return f"{100 * metrics['test'][metric]:.2f} %"


def test_a_worse_branch_fails_and_the_way_back_passes(
    author: Clone, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    params = author.params()
    params["models"]["dense128"]["optimizer"]["learning_rate"] = 1e-6
    del params["models"]["cnn1"]
    author.write_params(params)
    author.run("git", "rm", "--quiet", "metrics/cnn1.json")
    for name in ("dense128", "candidate"):
        metrics = read_json(author.folder / f"metrics/{name}.json")
        metrics["test"] = {metric: value / 2 for metric, value in metrics["test"].items()}
        write_json(author.folder / f"metrics/{name}.json", metrics)
    author.run("dvc", "commit", "--force")  # as if it had been trained
    author.commit("The candidate hardly learns, cnn1 is gone")
    status, lines, comment = review(pull(author, tmp_path, "change"), capsys, "--base", "origin/main")

    assert status == 1
    worse, before = (percent(author, at, "f1_macro", "dense128") for at in ("change", "main"))
    low = percent(author, "main", "f1_macro_low", "dense128")
    assert lines == [
        f"failed: The candidate's macro F1 on the test images is {worse} (base: {before}), below {low}, "
        "the lower end of the base's 95 % interval."
    ]
    assert "**Failed.**" in comment
    for column, metric in ((1, "accuracy"), (4, "f1_macro")):
        *scores, change = row(comment, "`dense128`, candidate")[column : column + 3]
        assert scores == [percent(author, at, metric, "dense128") for at in ("main", "change")]
        assert re.fullmatch(r"\*\*−\d+\.\d\d ▼▼\*\*", change)
        assert row(comment, "`mlp`")[column + 2] == "0"
        assert row(comment, "`cnn1`, removed")[column : column + 3] == [
            percent(author, "main", metric, "cnn1"),
            "–",
            "",
        ]
    assert row(comment, "`params.yaml` | `models.dense128.optimizer.learning_rate`")[2:] == ["0.001", "1e-06"]
    assert row(comment, "`metrics/cnn1.json` | `test.accuracy`")[3:] == ["–", "–"]

    author.run("git", "switch", "--quiet", "--create", "back")
    author.run("git", "revert", "--no-edit", "HEAD")
    status, lines, comment = review(pull(author, tmp_path, "back"), capsys, "--base", "origin/change")

    assert status == 0, lines
    assert f"is {before} (base: {worse}), not below " in lines[0]
    assert row(comment, "`dense128`, candidate")[-1].startswith("+")
    assert row(comment, "`cnn1`, new")[1:4] == ["–", percent(author, "main", "accuracy", "cnn1"), ""]


def test_another_candidate_is_compared_with_the_one_before(
    author: Clone, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    author.change("model", "mlp")
    author.dvc("repro", "candidate")
    author.commit("mlp as the candidate")
    reviewer = pull(author, tmp_path, "change")
    status, (line,), comment = review(reviewer, capsys, "--base", "origin/main", "--max-drop", "0.5")
    assert status == 1
    assert line.endswith(", 0.5 points below the base.")
    assert row(comment, "candidate: `dense128` to `mlp`")[-1].endswith("▼▼**")


def test_stale_results_are_refused_with_stage_and_reason(
    fresh_clone: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh_clone.replace("pipeline/architectures/cnn1.py", "Dropout(0.5)", "Dropout(0.4)")
    fresh_clone.change("models.mlp.units", 32)
    fresh_clone.replace("metrics/dense128.json", '"accuracy": 0.', '"accuracy": 0.9')
    status, lines, comment = review(fresh_clone, capsys, "--base", "HEAD")
    assert status == 1
    assert lines == [
        "stale: train@cnn1: pipeline/architectures/cnn1.py has changed",
        "stale: train@mlp: params.yaml: models.mlp has changed",
        "stale: evaluate@dense128: metrics/dense128.json is not what the stage wrote",
        "stale: report: params.yaml: models has changed",
    ]
    assert "**Refused: stale results.**" in comment
    assert row(comment, "`train@cnn1`")[1] == "`pipeline/architectures/cnn1.py` has changed"
    assert "Accuracy" not in comment, "figures of other code are not shown"


def test_results_that_were_left_behind_are_stale(fresh_clone: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    params = fresh_clone.params()
    params["model"] = "cnn1"
    params["models"]["wide"] = params["models"]["dense128"]
    fresh_clone.write_params(params)
    (fresh_clone.folder / "metrics/mlp.json").unlink()
    (fresh_clone.folder / "metrics/old.json").write_text("{}")
    lock = (fresh_clone.folder / "dvc.lock").read_text()
    trained, predictions, rest = lock.partition("    - path: data/predictions/cnn1.npz\n")
    other = re.sub("(?<= md5: ).*", "a" * 32, rest, count=1)
    (fresh_clone.folder / "dvc.lock").write_text(f"{trained}{predictions}{other}")
    fresh_clone.commit("Half of a change")
    status, lines, _ = review(fresh_clone, capsys, "--base", "HEAD~1")
    assert status == 1
    assert {line.removeprefix("stale: ") for line in lines} >= {
        "train@wide: dvc.lock has no results of it",
        "evaluate@wide: dvc.lock has no results of it",
        "evaluate@mlp: metrics/mlp.json is gone",
        "candidate: command has changed",
        "metrics/old.json: dvc.yaml has no stage that writes it",
        "evaluate@cnn1: data/predictions/cnn1.npz was written again since",
        "report: data/predictions was written again since",
    }


def test_wrong_parameters_are_named_first(fresh_clone: Clone) -> None:
    fresh_clone.change("models.mlp.epochs", -2)
    status, lines, comment = review_by_command(fresh_clone, "--base", "HEAD", "--output", "review.md")
    assert status == 2
    assert re.fullmatch(r"error: params\.yaml:\d+: models\.mlp\.epochs: found -2, expected: .*", lines[0])
    assert comment == ""
    written = (fresh_clone.folder / "review.md").read_text(encoding="utf-8")
    assert f"**Not reviewed.**\n\n- `{lines[0].removeprefix('error: ')}`" in written


@pytest.mark.parametrize("base", ["main&#64;org", "5f" * 20, "--output=x", "main..HEAD", ""])
def test_an_unknown_base_is_named_in_plain_text(
    fresh_clone: Clone, base: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError) as error:
        review(fresh_clone, capsys, f"--base={base}")
    line = str(error.value)
    assert line.startswith(f"--base: found {base!r}, expected a branch or commit with history in common")
    assert "force push removed" in line


def test_a_shallow_clone_is_told_what_it_lacks(
    author: Clone, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    author.run("git", "commit", "--quiet", "--allow-empty", "--message", "A change")
    author.run("git", "clone", "--quiet", "--depth=1", f"file://{author.folder}", str(tmp_path / "shallow"))
    shallow = Clone(tmp_path / "shallow")
    base = author.run("git", "rev-parse", "main").strip()
    with pytest.raises(InputError, match=r"this clone lacks older commits, which `git fetch --unshallow` brings$"):
        review(shallow, capsys, "--base", base)
    shallow.run("git", "fetch", "--quiet", "--unshallow")
    assert review(shallow, capsys, "--base", base).status == 0


def test_a_first_push_has_no_base(fresh_clone: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    status, (line,), comment = review(fresh_clone, capsys, "--base", "0" * 40)
    assert status == 0
    assert line == "passed: the results are those of the code; there is no base to compare them with"
    assert "There is no base to compare them with." in comment
    fresh_clone.change("models.mlp.epochs", 2)
    assert review(fresh_clone, capsys, "--base", "0" * 40).status == 1


@pytest.mark.parametrize("value", ["NaN", "9" * 5000])
def test_an_invalid_score_is_not_shown(fresh_clone: Clone, value: str) -> None:
    """Of those that JSON has in a way of its own; test_review_text.py has the others."""
    metrics = fresh_clone.folder / "metrics/candidate.json"
    metrics.write_text(re.sub(r'("f1_macro(_low)?": )[^,\n]*', rf"\g<1>{value}", metrics.read_text()))
    lock = fresh_clone.folder / "dvc.lock"
    digest = hashlib.md5(metrics.read_bytes(), usedforsecurity=False).hexdigest()
    lock.write_text(re.sub(r"(path: metrics/candidate.json\n.*\n +md5: ).*", rf"\g<1>{digest}", lock.read_text()))
    fresh_clone.commit("Odd figures")
    status, lines, comment = review_by_command(fresh_clone, "--base", "HEAD~1")
    assert status == 1
    assert "macro F1 on the test images is no number from 0 to 1 here: " in lines[-1]
    assert "%" not in "".join(re.findall(r"\*\*Failed.*", comment))


def test_reworded_code_passes_and_is_named(author: Clone, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    author.replace("pipeline/architectures/cnn1.py", '"""', '"""Reworded: ')
    author.commit("docs: reword")
    status, lines, comment = review(pull(author, tmp_path, "change"), capsys, "--base", "origin/main")
    assert status == 0, lines
    assert "have changed in `pipeline/architectures/cnn1.py`. `make accept-comments`" in comment


def test_accepted_comments_run_nothing(author: Clone) -> None:
    author.replace("pipeline/training/train.py", '"""', '"""Reworded: ')
    author.run("python", "-m", "tools.accept_comments")
    assert author.dvc("repro") == Repro(set(), set())
    author.replace("pipeline/architectures/cnn1.py", "Dropout(0.5)", "Dropout(0.4)")
    with pytest.raises(AssertionError, match=r"pipeline/architectures/cnn1\.py: build"):
        author.run("python", "-m", "tools.accept_comments")


def test_both_pipelines_are_reviewed(frontier_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reviewer = Clone(tmp_path / "reviewer")
    subprocess.run(["git", "clone", "--quiet", frontier_folder, reviewer.folder], check=True)
    reviewer.run("git", "checkout", "--quiet", "HEAD~1")
    status, lines, _ = review(reviewer, capsys, "--base", "HEAD~2")
    assert (status, lines) == (1, ["stale: frontier/dvc.yaml:report: frontier/dvc.lock has no results of it"])
    reviewer.run("git", "checkout", "--quiet", "main")
    status, lines, comment = review(reviewer, capsys, "--base", "HEAD~3")
    assert status == 0, lines
    assert row(comment, "`airbench_small`, new")


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not in a git repository")
def test_the_committed_repository_has_no_stale_result(tmp_path: Path) -> None:
    """The branch without a change passes, in a clean clone of what is committed here."""
    Clone(ROOT).run("git", "clone", "--quiet", f"file://{ROOT}", str(tmp_path / "clone"))
    status, lines, _ = review_by_command(Clone(tmp_path / "clone"), "--base", "HEAD")
    assert (status, lines[:-1]) == (0, [])


def test_the_workflow_brings_outputs_from_the_remote(author: Clone, tmp_path: Path) -> None:
    author.run("dvc", "remote", "add", "--default", "storage", str(tmp_path / "storage"))
    author.commit("A remote")
    author.run("dvc", "push", "--quiet")
    reviewer = pull(author, tmp_path, "change")
    (reviewer.folder / ".venv").symlink_to(Path(sys.executable).parents[1])
    workflow = YAML(typ="safe", pure=True).load(ROOT / ".github/workflows/review.yml")
    (step,) = (step for step in workflow["jobs"]["review"]["steps"] if step.get("name") == "Review")
    settings = {"BASE": "origin/main", "MAX_DROP": "", "STAGES": "evaluate report"}
    assert set(step["env"]) == set(settings)
    pull_request, push = ({**settings, "GITHUB_EVENT_NAME": name} for name in ("pull_request", "push"))
    push |= {"BASE": "5f" * 20, "MAX_DROP": "none"}  # a commit that a force push removed
    reviewer.run("env", *(f"{name}={value}" for name, value in push.items()), "bash", "-euc", step["run"])
    assert "There is no base to compare them with." in (reviewer.folder / "review.md").read_text(encoding="utf-8")
    reviewer.run("env", *(f"{name}={value}" for name, value in pull_request.items()), "bash", "-euc", step["run"])
    comment = (reviewer.folder / "review.md").read_text(encoding="utf-8")
    assert "All outputs are in the cache." in comment
    assert (reviewer.folder / "data/models/cnn1/model.keras").exists()
    assert reviewer.run("dvc", "status").strip() == "Data and pipelines are up to date."


def test_the_commands_of_the_page(clone: Clone) -> None:
    printed = "".join(run_page(clone, "docs/pull-requests.md").values())
    assert "candidate: `dense128` to `cnn1`" in printed
    assert "usage: python -m pipeline review" in printed


def test_without_a_remote_what_the_cache_lacks_is_made(
    author: Clone, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    author.run("dvc", "remote", "add", "--default", "storage", str(tmp_path / "nowhere"))
    author.commit("A remote that a fork cannot read")
    reviewer = pull(author, tmp_path, "change")
    shutil.copytree(author.folder / ".dvc/cache", reviewer.folder / ".dvc/cache")
    shutil.rmtree(reviewer.folder / ".dvc/cache/runs")
    lost = r"path: (?:data/evaluation/mlp/per_class.csv|data/models/mlp)\n.*\n +md5: (..)([\w.]+)"
    for start, rest in set(re.findall(lost, (reviewer.folder / "dvc.lock").read_text())):
        (reviewer.folder / ".dvc/cache/files/md5" / start / rest).unlink()
    status, lines, comment = review(reviewer, capsys, "--base", "origin/main", "--pull", "--run", "evaluate")
    assert status == 0, lines
    assert "Run here, with the committed results: `evaluate@mlp`." in comment
    assert "No cache has 1 of the outputs, such as `data/models/mlp`." in comment
    assert (reviewer.folder / "data/evaluation/mlp/per_class.csv").exists()
