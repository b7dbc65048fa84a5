"""`make accept-comments`: what cannot change a result costs no training, and nothing else is let through."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.io import InputError
from pipeline.review.code_changes import changed_definitions
from tests.helpers.clone import Clone, Repro
from tests.helpers.toy import CODE
from tools.accept_comments import main

NOTHING = Repro(set(), set())
ALL = ("repro", "--all-pipelines")


@pytest.fixture
def toy(toy_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    shutil.copytree(toy_folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return Clone(tmp_path)


def reword(toy: Clone) -> None:
    toy.replace("code/io.py", '"""Return one."""\n    return LIMIT  # one', '"""Return 1."""\n    return LIMIT')
    toy.replace("code/fit.py", "        return 1", "        return (\n            1\n        )")


def test_edited_comments_docstrings_and_layout_run_nothing(toy: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    reword(toy)
    main()
    assert capsys.readouterr().out == "accepted for 5 stages; commit dvc.lock\n"
    assert toy.dvc(*ALL) == NOTHING
    main()
    assert capsys.readouterr().out == "nothing to accept\n"


def test_comments_are_accepted_again_before_a_commit(toy: Clone) -> None:
    reword(toy)
    main()
    toy.replace("code/io.py", "Return 1", "Return the limit")
    main()
    assert toy.dvc(*ALL) == NOTHING
    toy.commit("Reworded")
    toy.replace("code/io.py", "Return the limit", "Get the limit")
    main()
    assert toy.dvc(*ALL) == NOTHING


@pytest.mark.parametrize(
    ("file", "old", "new", "named"),
    [
        ("code/io.py", "LIMIT = 1", "LIMIT = 2", "code/io.py: LIMIT"),
        ("code/fit.py", "            1\n", "            2\n", "code/fit.py: Fit.step"),
        ("code/fit.py", "class Fit:", "class Fit(object):", "code/fit.py: Fit"),
        ("code/io.py", "\n\nLIMIT", "\n\nimport os\n\nLIMIT", "code/io.py: imports"),
        ("code/io.py", "return", "return return", r"code/io.py: no Python that can be compared \(invalid syntax"),
    ],
)
def test_a_real_change_is_refused_by_name(toy: Clone, file: str, old: str, new: str, named: str) -> None:
    reword(toy)
    toy.replace(file, old, new)
    before = (toy.folder / "dvc.lock").read_bytes()
    with pytest.raises(InputError, match=rf"nothing was accepted; .*\n(.*\n)*  {named}"):
        main()
    assert (toy.folder / "dvc.lock").read_bytes() == before


def test_files_that_came_or_went_are_real_changes(toy: Clone) -> None:
    (toy.folder / "code/fit.py").rename(toy.folder / "code/train.py")
    with pytest.raises(InputError) as refused:
        main()
    assert "code/fit.py: the file is gone" in str(refused.value)
    assert "code/train.py: the file is new" in str(refused.value)


def test_code_committed_beside_an_older_result_is_refused(toy: Clone) -> None:
    """The commit that wrote the lock last need not hold the code of the results."""
    toy.replace("code/io.py", "LIMIT = 1", "LIMIT = 2")
    (toy.folder / "params.yaml").write_text("models: {a: 1, b: 2}\n")
    toy.dvc("repro", "--single-item", "train@b")
    toy.commit("Half of the results")
    reword(toy)
    with pytest.raises(InputError, match=r"code/io\.py: LIMIT \(for example train@a\)"):
        main()


def test_code_that_was_never_committed_cannot_be_compared(toy: Clone) -> None:
    toy.replace("code/io.py", "LIMIT = 1", "LIMIT = 2\nMORE = 3")
    toy.dvc(*ALL)
    reword(toy)
    with pytest.raises(InputError, match="code: no commit has the version that gave the results"):
        main()


def test_a_stage_with_other_changes_is_left_for_dvc(toy: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    reword(toy)
    (toy.folder / "params.yaml").write_text("models: {a: 1, b: 2}\n")
    main()
    printed = capsys.readouterr().out
    assert "accepted for 4 stages" in printed
    assert "left for dvc repro: train@b: params.yaml: models.b has changed\n" in printed
    assert toy.dvc(*ALL).ran & {"train@a", "train@b", "frontier/dvc.yaml:train@c"} == {"train@b"}


def test_an_edited_result_is_not_accepted(toy: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    reword(toy)
    (toy.folder / "metrics/a.json").write_text('{"accuracy": 1}')
    main()
    assert "left for dvc repro: train@a: metrics/a.json is not what the stage wrote" in capsys.readouterr().out


@pytest.fixture
def imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """One stage that imports ``ours.io`` through another module, and depends on the whole folder ``ours``."""
    (tmp_path / "ours").mkdir()
    for name, text in CODE.items():
        (tmp_path / name.replace("code", "ours")).write_text(text)
    (tmp_path / "ours/score.py").write_text(
        "def main():\n    from .io import read\n    open('out', 'w').write(str(read()))"
    )
    (tmp_path / "run.py").write_text("import ours.score as score\nscore.main()\n")
    (tmp_path / "dvc.yaml").write_text("stages: {score: {cmd: python -m run, deps: [ours, run.py], outs: [out]}}\n")
    monkeypatch.chdir(tmp_path)
    toy = Clone(tmp_path)
    toy.run("git", "init", "--quiet")
    toy.run("dvc", "init", "--quiet")
    for ignored in (".dvcignore", ".gitignore"):
        (tmp_path / ignored).write_text("__pycache__/\n")
    toy.run("dvc", "repro", "--quiet")
    toy.commit("Results")
    return toy


def test_code_that_a_stage_does_not_import_is_accepted(imports: Clone) -> None:
    imports.replace("ours/fit.py", "return 1", "return 2")
    (imports.folder / "ours/new.py").write_text("NEW = 1")
    main()
    assert imports.dvc("repro") == NOTHING
    imports.replace("ours/io.py", "LIMIT = 1", "LIMIT = 2")
    with pytest.raises(InputError, match=r"nothing was accepted; .*\n  ours/io.py: LIMIT \(for example score\)"):
        main()


def test_results_are_accepted_where_no_cache_has_them(imports: Clone) -> None:
    shutil.rmtree(imports.folder / ".dvc/cache")
    (imports.folder / "out").unlink()
    imports.replace("ours/io.py", "Return one", "Return 1")
    main()
    status = json.loads(imports.run("dvc", "status", "--json"))
    assert status == {"score": [{"changed outs": {"out": "not in cache"}}]}


@given(st.lists(st.sampled_from(["A = 1", "def f(): return 1", "import os", "if A: B = 2", "class C: D = 1"])))
def test_a_module_equals_itself_in_other_words(statements: list[str]) -> None:
    module = "\n".join(statements)
    reworded = '"""New."""\n# new\n' + "\n\n\n".join(f"{statement}  # new" for statement in statements)
    assert changed_definitions(module, reworded) == []
    assert changed_definitions(module, f"{module}\nNEW = 1") == ["NEW"]


def test_docstrings_that_code_reads_count() -> None:
    module = '"""{}"""\nprint(__doc__)'
    assert changed_definitions(module.format("Old."), module.format("New.")) != []
    assert CODE["code/io.py"].count("__doc__") == 0
