"""The comment on a real HTTP server that plays the comments of GitHub and of GitLab."""

import json
import re
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.json_server import JsonHandler, serving
from tools.post_comment import LONGEST, MARKER, harmless, main

COMMIT = "5f" * 20
TEXT = "## Results\n\n| Model |\n|---|\n| `cnn1` |\n"
ORIGIN = f"Of {COMMIT}, by [this run](https://forge.example/run/7) of the branch's own code."


class Forge(ThreadingHTTPServer):
    """Pull requests and the comments of number 12, a hundred to a page, for whoever has the token."""

    def __init__(self) -> None:
        super().__init__(("localhost", 0), Handler)
        self.name = ""  # of the token's user; GitHub's workflows may not ask for theirs
        self.author_key = ("user", "login")
        self.pulls: list[Any] = []
        self.comments: list[dict[str, Any]] = []
        self.may_write = True
        self.changes: list[tuple[str, str]] = []

    def add(self, body: str, author: str) -> None:
        outer, inner = self.author_key
        self.comments.append({"id": 1000 + len(self.comments), "body": body, outer: {inner: author}})


class Handler(JsonHandler):
    server: Forge

    def do_GET(self) -> None:  # noqa: N802  # the base class's name
        address = urlsplit(self.path)
        if address.path.startswith("/moved/"):
            self.send_response(302)
            self.send_header("Location", self.path.replace("/moved/", "/api/"))
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.headers.get("Authorization", self.headers.get("PRIVATE-TOKEN")) not in ("Bearer secret", "secret"):
            self.answer(401, {})
        elif address.path == "/api/user":
            self.answer(200, {self.server.author_key[1]: self.server.name}) if self.server.name else self.answer(
                403, {}
            )
        else:
            query = parse_qs(address.query)
            start = 100 * (int(query["page"][0]) - 1)
            assert query["per_page"] == ["100"]
            listed = self.server.pulls if address.path.endswith("/pulls") else self.comments(address.path)
            self.answer(200, listed[start : start + 100])

    def comments(self, path: str) -> list[dict[str, Any]]:
        assert re.fullmatch(r"/api/(repos/us/project/issues/12/comments|projects/3/merge_requests/12/notes)", path), (
            path
        )
        return self.server.comments

    def change(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
        if not self.server.may_write:
            self.answer(403, {"message": "Resource not accessible by integration"})
            return
        self.server.changes.append((f"{self.command} {self.path}", body))
        self.answer(200, {})

    do_POST = do_PATCH = do_PUT = change  # noqa: N815  # the base class's names


@pytest.fixture
def forge() -> Iterator[Forge]:
    server = Forge()
    with serving(server):
        yield server


@pytest.fixture
def github(forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Forge:
    """GitHub, in a run that the review of a fork's branch started."""
    fork = {"owner": {"login": "them"}, "full_name": "them/project"}
    run = {"head_repository": fork, "head_branch": "a&b", "head_sha": COMMIT, "html_url": "https://forge.example/run/7"}
    event(tmp_path, run)
    forge.pulls = [{"number": 9, "head": {"sha": "other"}}] * 100 + [{"number": 12, "head": {"sha": COMMIT}}]
    (tmp_path / "review.md").write_text(TEXT)
    monkeypatch.delenv("GITLAB_CI", raising=False)
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    monkeypatch.setenv("GITHUB_REPOSITORY", "us/project")
    monkeypatch.setenv("GITHUB_API_URL", f"http://localhost:{forge.server_port}/api")
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(tmp_path / "event.json"))
    monkeypatch.setattr("sys.argv", ["post_comment.py", str(tmp_path / "review.md")])
    return forge


@pytest.fixture
def gitlab(forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Forge:
    """GitLab, in a merge request's pipeline."""
    forge.name, forge.author_key = "project_3_bot", ("author", "username")
    (tmp_path / "review.md").write_text(TEXT)
    monkeypatch.setenv("GITLAB_CI", "true")
    monkeypatch.setenv("GITLAB_TOKEN", "secret")
    monkeypatch.setenv("CI_API_V4_URL", f"http://localhost:{forge.server_port}/api")
    monkeypatch.setenv("CI_MERGE_REQUEST_PROJECT_ID", "3")
    monkeypatch.setenv("CI_MERGE_REQUEST_IID", "12")
    monkeypatch.setenv("CI_PIPELINE_URL", "https://forge.example/run/7")
    monkeypatch.setenv("CI_COMMIT_SHA", COMMIT)
    monkeypatch.setattr("sys.argv", ["post_comment.py", str(tmp_path / "review.md")])
    return forge


def event(folder: Path, run: Any) -> None:
    (folder / "event.json").write_text(json.dumps({"workflow_run": run}))


def test_the_first_run_posts(github: Forge, capsys: pytest.CaptureFixture[str]) -> None:
    main()
    assert github.changes == [("POST /api/repos/us/project/issues/12/comments", f"{MARKER}\n{ORIGIN}\n\n{TEXT}")]
    assert capsys.readouterr().out == "The comment is posted.\n"


def test_a_later_run_updates_in_place_however_far_down_it_stands(github: Forge) -> None:
    for number in range(250):
        github.add(f"Word {number}", "somebody")
    github.add(f"{MARKER}\nquoted by a reader", "somebody")
    github.add(f"{MARKER}\nof an earlier run", "github-actions[bot]")
    main()
    assert github.changes == [("PATCH /api/repos/us/project/issues/comments/1251", f"{MARKER}\n{ORIGIN}\n\n{TEXT}")]


def test_a_commit_that_was_pushed_over_is_not_commented(github: Forge, capsys: pytest.CaptureFixture[str]) -> None:
    github.pulls.pop()
    main()
    assert github.changes == []
    assert "nothing is posted" in capsys.readouterr().out


def test_a_fork_that_is_gone_is_not_commented(github: Forge, tmp_path: Path) -> None:
    event(
        tmp_path, {"head_repository": None, "head_branch": "x", "head_sha": COMMIT, "html_url": "https://forge.example"}
    )
    main()
    assert github.changes == []


def test_a_token_that_may_not_write_is_said_and_no_failure(github: Forge, capsys: pytest.CaptureFixture[str]) -> None:
    github.may_write = False
    main()
    assert github.changes == []
    assert re.match(r"The token may not post the comment.* HTTP 403", capsys.readouterr().out)


def test_a_redirect_is_not_given_the_token(
    github: Forge, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_API_URL", f"http://localhost:{github.server_port}/moved")
    main()
    assert github.changes == []
    assert "HTTP 401" in capsys.readouterr().out


def test_a_server_that_fails_is_an_error(github: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_API_URL", "http://localhost:1")
    with pytest.raises(SystemExit, match=r"error: the comment could not be posted: .*refused"):
        main()


def test_gitlab_posts_a_note_then_updates_it(gitlab: Forge) -> None:
    gitlab.add(f"{MARKER}\nquoted by a reader", "somebody")
    main()
    notes = "/api/projects/3/merge_requests/12/notes"
    body = f"{MARKER}\n{ORIGIN}\n\n{TEXT}"
    gitlab.add(body, "project_3_bot")
    main()
    assert gitlab.changes == [(f"POST {notes}", body), (f"PUT {notes}/1001", body)]


def test_a_gitlab_fork_has_no_token(
    gitlab: Forge, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITLAB_TOKEN")
    main()
    assert gitlab.changes == []
    assert "GITLAB_TOKEN is not set" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    [
        "@team look",
        "<img src=x>",
        "<a href='//example.org'>x</a>",
        "<!-- results of this branch",
        "![x](//example.org)",
        "[x](//example.org)",
        "[x][y]\n\n[y]: //example.org",
        "https://example.org",
        "www.example.org",
        "/approve",
        "text\n  /merge",
    ],
)
def test_text_of_a_stranger_is_disarmed_and_still_reads_the_same(text: str) -> None:
    disarmed = harmless(text)
    assert disarmed != text
    assert disarmed.replace("\N{ZERO WIDTH SPACE}", "") == text
    assert not re.search(r"@\w|<\w|<!|\]\(|\]:|\]\[|://|www\.|^\s*/", disarmed, re.MULTILINE)


def test_an_honest_review_is_posted_as_it_is() -> None:
    text = "<details><summary>dvc metrics diff: 2 rows</summary>\n\n| `a` | <code>x&#124;y</code> | ▼▼ |\n\n</details>"
    assert harmless(text) == text


def test_a_comment_stays_below_githubs_limit() -> None:
    assert len(harmless("@" * 100_000)) < LONGEST + 100
