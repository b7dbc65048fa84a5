"""git merges ``dvc.lock`` by stage, and other results not at all."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tests.helpers.clone import ENVIRONMENT, ROOT, Clone, Repro
from tools.merge_lock import main, merge
from tools.update_readme import fill


@pytest.fixture
def repository(tmp_path: Path) -> Clone:
    """A repository with this one's attributes and driver, whose ``dvc.lock`` has the stages train, evaluate, report."""
    for file in (".gitattributes", "Makefile", "tools/merge_lock.py"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    repository = Clone(tmp_path)
    repository.run("git", "init", "--quiet", "--initial-branch=main")
    repository.run("make", "merge-driver")
    write(repository, train=stage(), evaluate=stage(), report=stage())
    repository.commit("Base")
    return repository


def stage(params: int = 0, code: int = 0, result: int = 0) -> dict[str, Any]:
    """An entry of ``dvc.lock``, with more lines between what may change than git takes for neighbours."""
    files = [f"pipeline/{letter}.py" for letter in "abcdef"]
    return {
        "cmd": "python -m stages.train",
        "deps": [{"path": files[0], "md5": str(code)}, *({"path": file, "md5": "0"} for file in files[1:])],
        "params": {"params.yaml": {"seed": params}},
        "outs": [{"path": file, "md5": "0"} for file in files] + [{"path": "data/model", "md5": str(result)}],
    }


def write(repository: Clone, **stages: dict[str, Any]) -> None:
    YAML().dump({"schema": "2.0", "stages": stages}, repository.folder / "dvc.lock")


def read(repository: Clone) -> dict[str, Any]:
    stages: dict[str, Any] = YAML(typ="safe").load(repository.folder / "dvc.lock")["stages"]
    return stages


def branch(repository: Clone, name: str, **stages: dict[str, Any]) -> None:
    """Make a branch of the first commit, on which ``dvc.lock`` has these stages."""
    repository.run("git", "switch", "--quiet", "--create", name, "main")
    write(repository, **stages)
    repository.commit(name)


def git(repository: Clone, *arguments: str) -> tuple[bool, str]:
    """Run git; gives whether it went through, and what it printed."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=repository.folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode == 0, done.stdout


@pytest.mark.parametrize("command", ["merge", "rebase"])
def test_stages_that_one_side_changed_are_taken(repository: Clone, command: str) -> None:
    branch(repository, "hers", train=stage(params=1, result=1), evaluate=stage(), report=stage())
    branch(repository, "his", train=stage(), evaluate=stage(code=1, result=2), report=stage(), export=stage())
    repository.run("git", command, "hers")
    assert read(repository) == {
        "train": stage(params=1, result=1),
        "evaluate": stage(code=1, result=2),
        "report": stage(),
        "export": stage(),
    }
    assert repository.run("git", "status", "--porcelain") == ""


@pytest.mark.parametrize("command", ["merge", "rebase"])
def test_a_stage_that_both_changed_stops_the_merge(repository: Clone, command: str) -> None:
    # Line by line this would merge, to a claim that nobody has tried: his code and her parameters give her result.
    branch(repository, "hers", train=stage(params=1, result=1), evaluate=stage(result=1), report=stage())
    branch(repository, "his", train=stage(code=1), evaluate=stage(), report=stage(result=2))
    through, printed = git(repository, command, "hers")
    assert not through
    assert "dvc.lock: changed on both sides and left out, for dvc repro: train\n" in printed
    assert read(repository) == {"evaluate": stage(result=1), "report": stage(result=2)}
    assert repository.run("git", "status", "--porcelain") == "UU dvc.lock\n"


def test_a_stage_that_both_changed_alike_is_kept(repository: Clone) -> None:
    branch(repository, "hers", train=stage(result=1), evaluate=stage(result=1), report=stage())
    branch(repository, "his", train=stage(result=1), evaluate=stage(), report=stage())
    repository.run("git", "merge", "hers")
    assert read(repository) == {"train": stage(result=1), "evaluate": stage(result=1), "report": stage()}


def test_a_removed_stage_stays_away_unless_it_changed(repository: Clone) -> None:
    branch(repository, "hers", report=stage())
    branch(repository, "his", train=stage(), evaluate=stage(result=1), report=stage(result=1))
    through, printed = git(repository, "merge", "hers")
    assert not through
    assert "left out, for dvc repro: evaluate\n" in printed
    assert read(repository) == {"report": stage(result=1)}


def test_without_the_driver_nothing_is_mixed(repository: Clone) -> None:
    repository.run("git", "config", "--remove-section", "merge.dvc-lock")
    (repository.folder / ".git/info/attributes").unlink()
    branch(repository, "hers", train=stage(params=1, result=1), evaluate=stage(), report=stage())
    branch(repository, "his", train=stage(), evaluate=stage(result=2), report=stage())
    through, _ = git(repository, "merge", "hers")
    assert not through
    assert read(repository) == {"train": stage(), "evaluate": stage(result=2), "report": stage()}

    repository.run("make", "merge-driver")
    repository.run("git", "checkout", "--merge", "dvc.lock")
    assert read(repository) == {
        "train": stage(params=1, result=1),
        "evaluate": stage(result=2),
        "report": stage(),
    }


def test_an_unreadable_lock_stops_the_merge(repository: Clone) -> None:
    branch(repository, "hers", train=stage(result=1))
    (repository.folder / "dvc.lock").write_text("<<<<<<< ours\nschema: '2.0'\n")
    repository.commit("Conflict marks, committed")
    branch(repository, "his", train=stage(result=2))
    through, printed = git(repository, "merge", "hers")
    assert not through
    assert "dvc.lock: " in printed
    assert "Traceback" not in printed
    assert read(repository) == {"train": stage(result=2)}


@pytest.mark.slow
def test_what_both_sides_set_is_run_again(repository: Clone) -> None:
    """With DVC, on a stage that copies its two parameters into its output."""
    model = "stages: {train: {cmd: cp params.yaml model, params: [rate, width], outs: [model]}}"
    settings = "rate: 0\n\n\n\nwidth: 0\n"
    (repository.folder / "dvc.yaml").write_text(model)
    (repository.folder / "dvc.lock").unlink()
    repository.run("dvc", "init", "--quiet")
    for name, change in (("main", "rate: 0"), ("hers", "rate: 1"), ("his", "width: 1")):
        if name != "main":
            repository.run("git", "switch", "--quiet", "--create", name, "main")
        parameter, _ = change.split(": ")
        (repository.folder / "params.yaml").write_text(settings.replace(f"{parameter}: 0", change))
        repository.dvc("repro")
        repository.commit(name)

    through, _ = git(repository, "merge", "hers")
    assert not through
    assert repository.dvc("repro") == Repro(ran={"train"}, restored=set())
    assert (repository.folder / "model").read_text() == "rate: 1\n\n\n\nwidth: 1\n"

    repository.replace("params.yaml", "width: 1", "width: 0")  # as hers
    assert repository.dvc("repro") == Repro(ran=set(), restored={"train"})


@pytest.mark.parametrize("file", ["metrics/cnn1.json", "metrics/candidate.json", "reports/results.csv"])
def test_results_that_both_sides_changed_are_not_mixed(repository: Clone, file: str) -> None:
    lines = [f'"{number}": 0,\n' for number in range(20)]
    (repository.folder / file).parent.mkdir()
    (repository.folder / file).write_text("".join(lines))
    repository.commit("A result")
    for name, line in (("hers", 0), ("his", 19)):
        repository.run("git", "switch", "--quiet", "--create", name, "main")
        repository.replace(file, lines[line], '"changed": 1,\n')
        repository.commit(name)
    his = (repository.folder / file).read_text()
    through, printed = git(repository, "merge", "hers")
    assert not through
    assert f"Merge conflict in {file}" in printed
    assert (repository.folder / file).read_text() == his


def test_the_readme_is_written_over_conflict_marks() -> None:
    sides = "<<<<<<< HEAD\nours\n=======\ntheirs\n>>>>>>> his\n"
    around = "Before\n<!-- results: here -->{}<!-- end of results -->\nAfter\n"
    assert fill(around.format(sides), {"results": "new"}) == around.format("new")


def test_the_lock_of_the_second_pipeline_is_named(repository: Clone) -> None:
    (repository.folder / "frontier").mkdir()
    for result, (name, start) in enumerate([("main", None), ("hers", "main"), ("his", "main")]):
        if start:
            repository.run("git", "switch", "--quiet", "--create", name, start)
        YAML().dump({"stages": {"train": stage(result=result)}}, repository.folder / "frontier/dvc.lock")
        repository.commit(name)
    through, printed = git(repository, "merge", "hers")
    assert not through
    assert "frontier/dvc.lock: changed on both sides and left out, for dvc repro: train\n" in printed


def test_the_file_keeps_the_form_that_dvc_gives_it(tmp_path: Path) -> None:
    base, ours, theirs = (str(shutil.copy(ROOT / "dvc.lock", tmp_path / name)) for name in ("base", "ours", "theirs"))
    assert main(base, ours, theirs) == 0
    assert (tmp_path / "ours").read_bytes() == (ROOT / "dvc.lock").read_bytes()


VERSIONS = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 3))


@given(base=VERSIONS, ours=VERSIONS, theirs=VERSIONS)
def test_a_merge_is_the_same_from_either_side(
    base: dict[str, int], ours: dict[str, int], theirs: dict[str, int]
) -> None:
    merged, left_out = merge(base, ours, theirs)
    for name, entry in merged.items():
        assert entry in (ours.get(name), theirs.get(name))
    assert {name for name in ours | theirs if ours.get(name) == theirs.get(name)} <= set(merged)
    assert not set(merged) & set(left_out)
    assert all(len({side.get(name) for side in (base, ours, theirs)}) == 3 for name in left_out)
    from_the_other, left_out_there = merge(base, theirs, ours)
    assert (from_the_other, set(left_out_there)) == (merged, set(left_out))
