"""docs/teams.md: two people, Ana and Ben, a git repository between them and real servers for the data."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML

from tests.helpers.clone import ENVIRONMENT, Clone, Repro
from tests.helpers.documentation import code_blocks, run_page
from tests.helpers.servers import s3_server, ssh_server

PAGE = "docs/teams.md"
NOTHING = Repro(set(), set())


@pytest.fixture
def ana(clone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clone]:
    """Ana's clone, with the variables of the page set to servers and folders that are there."""
    (tmp_path / "buckets" / "team").mkdir(parents=True)
    (tmp_path / "ssh").mkdir()
    with ExitStack() as servers:
        ssh = servers.enter_context(ssh_server(tmp_path / "ssh"))
        s3 = servers.enter_context(s3_server(tmp_path / "buckets"))
        variables = {
            "REPOSITORY": tmp_path / "team.git",
            "S3_URL": "s3://team/fashion-mnist",
            "S3_ENDPOINT": s3.endpoint,
            "S3_ACCESS_KEY": s3.access_key,
            "S3_SECRET_KEY": s3.secret_key,
            "SSH_URL": f"ssh://{ssh.address}{tmp_path}/on_the_ssh_server",
            "SSH_USER": ssh.user,
            "SSH_KEY": ssh.key,
            "TEAM_FOLDER": tmp_path / "shared_folder",
        }
        for name, value in variables.items():
            monkeypatch.setitem(ENVIRONMENT, name, str(value))
        ana = Clone(clone.folder.rename(tmp_path / "ana"))
        ana.run("git", "init", "--quiet", "--bare", "--initial-branch=main", str(tmp_path / "team.git"))
        ana.run("git", "remote", "add", "origin", str(tmp_path / "team.git"))
        ana.run("git", "push", "--quiet", "--set-upstream", "origin", "main")
        yield ana


@pytest.mark.long
@pytest.mark.parametrize("remote", ["s3", "ssh", "folder"])
def test_who_pulls_what_a_colleague_trained_runs_nothing(ana: Clone, remote: str) -> None:
    setup = code_blocks(PAGE)[f"remote-{remote}"]
    ana.run("bash", "-euc", setup)
    ana.commit("A remote")
    ana.run("git", "push", "--quiet")
    ana.run("dvc", "push", "--remote", remote)
    ana.run("git", "clone", "--quiet", ENVIRONMENT["REPOSITORY"], "../ben")
    ben = Clone(ana.folder.with_name("ben"))
    ben.run("bash", "-euc", "\n".join(line for line in setup.splitlines() if "--local" in line))

    ben.run("dvc", "pull", "--remote", remote)

    assert ben.dvc("repro") == NOTHING
    assert (ben.folder / "data/models/cnn1/model.keras").read_bytes() == (
        ana.folder / "data/models/cnn1/model.keras"
    ).read_bytes()
    assert ben.run("git", "status", "--porcelain") == ""


@pytest.mark.long
def test_the_page(ana: Clone) -> None:
    ana.change("model", "cnn1")
    ana.dvc("repro")
    ana.commit("cnn1 is the candidate")
    ana.run("git", "push", "--quiet")

    done = {block: Repro.printed_in(printed) for block, printed in run_page(ana, "docs/teams.md").items()}

    assert done["clone"] == done["look"] == NOTHING
    assert done["experiment"].ran == {"train@cnn1", "evaluate@cnn1", "candidate", "report"}
    assert done["branch"].ran == {"train@mlp", "evaluate@mlp", "candidate", "report"}
    assert done["merge"] == Repro({"candidate", "report"}, set())
    assert done["rebase"] == Repro({"report"}, restored={"candidate"})  # Ben has made mlp the candidate before

    merged, her_commit, his_commit = (results(ana, commit) for commit in ("HEAD", "HEAD^1", "HEAD^2"))
    assert merged["cnn1"] == her_commit["cnn1"] != his_commit["cnn1"]
    assert merged["mlp"] == his_commit["mlp"] != her_commit["mlp"]
    assert merged["dense128"] == his_commit["dense128"] == her_commit["dense128"]
    assert "up to date" in ana.run("dvc", "status")
    candidate, mlp = (json.loads((ana.folder / f"metrics/{name}.json").read_text()) for name in ("candidate", "mlp"))
    assert candidate == mlp | {"model": "mlp"}
    for row in pd.read_csv(ana.folder / "reports/results.csv").to_dict("records"):
        assert row["accuracy"] == json.loads(merged[row["model"]]["metrics"])["test"]["accuracy"]

    ben = Clone(ana.folder.with_name("ben"))
    assert ben.run("git", "rev-parse", "HEAD^{tree}") == ana.run("git", "rev-parse", "HEAD^{tree}")
    assert ENVIRONMENT["S3_SECRET_KEY"] not in ana.run("git", "log", "--all", "--patch")


def results(clone: Clone, commit: str) -> dict[str, Any]:
    """What git has of each model in a commit: its metrics, parameters and entries in ``dvc.lock``."""
    lock, params = (
        YAML(typ="safe").load(clone.run("git", "show", f"{commit}:{file}")) for file in ("dvc.lock", "params.yaml")
    )
    return {
        name: {
            "metrics": clone.run("git", "show", f"{commit}:metrics/{name}.json"),
            "params": entry,
            "stages": [lock["stages"][f"{stage}@{name}"] for stage in ("train", "evaluate")],
        }
        for name, entry in params["models"].items()
    }
