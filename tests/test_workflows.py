"""GitHub and GitLab run nothing that is not pinned, with no right that is not needed."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

WORKFLOWS = sorted(Path(".github/workflows").glob("*.yml"))
WRITES = {("review-comment.yml", "pull-requests"), ("publish.yml", "id-token"), ("publish.yml", "pages")}


def read(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_hash_with_their_version_beside(path: Path) -> None:
    for line in re.findall(r"^.*\buses:.*$", path.read_text(), re.MULTILINE):
        assert re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_job_has_only_the_rights_it_names(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] in ({}, {"contents": "read"})
    for job in workflow["jobs"].values():
        for scope, right in job.get("permissions", {}).items():
            assert right == "read" or (path.name, scope) in WRITES, f"{scope}: {right}"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_what_may_write_runs_the_default_branch_alone(path: Path) -> None:
    workflow = read(path)
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    if path.name == "publish.yml":
        (write,) = (job for job in workflow["jobs"].values() if "write" in job["permissions"].values())
        assert write["if"] == "github.ref == 'refs/heads/main'"
        assert [re.sub("@.*", "", step["uses"]) for step in write["steps"]] == [
            "actions/deploy-pages"
        ]  # no code of ours
    elif path.name in {name for name, _ in WRITES}:
        assert set(workflow["on"]) == {"workflow_run"}
        checkouts = [step["with"] for step in steps if "/checkout@" in step.get("uses", "")]
        assert checkouts == [{"persist-credentials": False}]  # no ref and no repository but this one's default
        downloads = [step["with"]["path"] for step in steps if "/download-artifact@" in step.get("uses", "")]
        assert downloads == ["${{ runner.temp }}/review"]  # not over the code that runs
    else:
        assert not {"workflow_run", "pull_request_target"} & set(workflow["on"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_no_text_of_an_event_is_pasted_into_a_shell(path: Path) -> None:
    for job in read(path)["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")


def test_what_a_branch_left_is_read_by_the_tool_alone() -> None:
    """The tool refuses links, which could lead to what only the writing job may read."""
    posts = [step["run"] for step in read(Path(".github/workflows/review-comment.yml"))["jobs"]["comment"]["steps"][2:]]
    assert posts == ['python3 tools/post_comment.py "$RUNNER_TEMP/review/review.md"']
    assert read(Path(".gitlab-ci.yml"))["comment"]["script"] == ["python3 tools/post_comment.py review.md"]


def test_a_review_that_fails_keeps_what_it_trained() -> None:
    steps = read(Path(".github/workflows/review.yml"))["jobs"]["review"]["steps"]
    restore, save = (step for step in steps if "/cache/" in step.get("uses", ""))
    assert save["if"].startswith("always()")
    assert save["with"] == {"path": restore["with"]["path"], "key": "${{ steps.cache.outputs.cache-primary-key }}"}


def test_both_reviews_run_the_stages_that_train_nothing() -> None:
    gitlab = read(Path(".gitlab-ci.yml"))["review"]
    steps = read(Path(".github/workflows/review.yml"))["jobs"]["review"]["steps"]
    (github,) = (step["env"]["STAGES"] for step in steps if step.get("name") == "Review")
    assert github == "${{ vars.REVIEW_RUN || '" + gitlab["variables"]["REVIEW_RUN"] + "' }}"
    stages = YAML(typ="safe").load(Path("dvc.yaml"))["stages"]
    assert set(gitlab["variables"]["REVIEW_RUN"].split()) <= set(stages) - {"train"}
