"""The comment on a real HTTP server that plays the comments of GitHub and of GitLab."""

import json
import os
import re
import time
from collections.abc import Iterator
from html import unescape
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipeline.review.comment import Outputs, Review, format_review
from pipeline.review.scores import Candidate, Changes, ModelScores, Score, Verdict
from pipeline.review.settings import load_review_settings
from tests.helpers.json_server import JsonHandler, serving
from tools.post_comment import MARKER, MAX_LENGTH, disarm, main

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


def test_a_later_run_updates_its_comment_on_any_page(github: Forge) -> None:
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


def test_two_pull_requests_of_one_commit_are_not_commented(github: Forge, capsys: pytest.CaptureFixture[str]) -> None:
    github.pulls.append({"number": 13, "head": {"sha": COMMIT}})  # into another branch, with another base
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


@pytest.mark.parametrize("kind", ["link", "link to nothing", "pipe", "folder"])
def test_only_a_file_of_its_own_is_posted(github: Forge, tmp_path: Path, kind: str) -> None:
    """An artifact must not lead to files that only this job may read."""
    path = tmp_path / "review.md"
    path.unlink()
    (tmp_path / "secret").write_text("secret")
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("secret" if kind == "link" else "nothing")
    with pytest.raises(SystemExit, match=r"review\.md"):
        main()
    assert github.changes == []


def test_a_run_that_left_nothing_is_no_failure(
    github: Forge, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "review.md").unlink()
    main()
    assert github.changes == []
    assert "the run left no such file" in capsys.readouterr().out


MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
FRAGMENTS = [
    "@\u00adorg",
    "@\u200dorg",
    *(
        "| - |",
        "\r/merge",
        "\t/close",
        "\n",
        "\n\n",
        "    ",
        "> ",
        "- ",
        "* ",
        "\u2028",
        "\u202e",
        "\0",
        " ",
        "``` mermaid",
    ),
    *("<img src=x>", "<a href=x>", "&lt;a href=x>", "[x] (y)", "[y]: z", '~"a label"', '%"v 1"'),
    *r"""
    @org/team &#64;org/team &#x40;org &commat;org/team \@org a@b.org @all @0123456789
    #1 &#35;1 &num;1 org/repo#1 GH-1 gh-1 GL-1 PROJECT-12 CVE-2026-1234 GHSA-abcd-efgh #{project}
    0123456789abcdef deadbee DEADBEE main...0123456
    !1 &1 &amp;1 group&1 ~label %milestone $1 ^alert#1 *iteration:1 [issue:1] [vulnerability:1] :tada: [[wiki]]
    http://x.org http&#58;//x.org http&colon;//x.org http:&#47;/x.org //x.org www.x.org ftp://x mailto:a xmpp:a
    <http://x.org> <a@x.org> [x](y) [x][y] [y] ![x](y) <!-- <details> </details> <summary> <code>
    ` `` ```mermaid ~~~math $`x`$ $\href{//x.org}{y}$ \( \ | /approve / x
    """.split(),  # noqa: SIM905  # a list would be a page long
]
LINKED = re.compile(
    r"@\w|[#!][\w]|(?<![\w])[~%$^&][\w\"]|[a-z]+-\d|(?-i:[A-Z])-\w|[0-9a-f]{7}|\w:\w|\w:/|//|www\.|\[\[|\]\(|:\w+:|\\[a-z]",
    re.IGNORECASE,
)


@given(st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=3)).map("".join))
def test_text_of_a_stranger_acts_in_no_spelling(text: str) -> None:
    disarmed = disarm(text)
    html = MARKDOWN.render(disarmed)
    tags = set(re.findall(r"<([^\s>/]+)", html))
    assert not tags & {"a", "img", "script"}, "links and images"
    raw = set(re.findall(r"<(/?\w[^>]*)>", disarmed))
    assert raw <= {"details", "summary", "/details", "/summary"}
    assert not re.search("class=", html), "blocks that are drawn"
    shown = unescape(re.sub("<[^>]*>", "\n", html))
    assert not LINKED.search(shown), LINKED.search(shown)
    assert not re.search(r"^[^\S\n]*/", disarmed, re.MULTILINE), "quick actions"


@given(st.lists(st.sampled_from(FRAGMENTS)).map("".join))
def test_disarmed_text_reads_the_same(text: str) -> None:
    invisible = re.compile("[\u200b\u200d\u00ad\u202e\0]")
    assert invisible.sub("", disarm(text)) == invisible.sub("", text.replace("\r", "\n"))


def test_disarming_takes_no_longer_for_odd_text() -> None:
    for text in ("\n" * 60_000, " " * 60_000, "@" * 60_000, "a" * 60_000, "[" * 60_000, " /\n" * 20_000, "`" * 60_000):
        start = time.perf_counter()
        disarm(text)
        assert time.perf_counter() - start < 5


def test_an_honest_review_keeps_its_form() -> None:
    score = Score(0.5, 0.6, 0.4)
    model = ModelScores("airbench_small", (1, 2), [score, score])
    comparison = Changes(
        [model], Candidate("mlp", "cnn1", model), Verdict(False, "92.00 % (base: 92.50 %), below 91.90 %."), {}
    )
    outputs = Outputs(["data/models/a"], ["frontier/dvc.yaml:train@x"], [], ["dvc pull: no https://remote"])
    params = {"params.yaml": {"models.a|b": {"old": 1e-7, "new": "x&y"}}}
    commit, settings = "0123456789" * 4, load_review_settings()
    text = format_review(Review("origin/main", commit, params, {}, ["pipeline/io.py"], comparison, outputs, settings))
    assert MARKDOWN.render(disarm(text)).replace("\N{ZERO WIDTH SPACE}", "") == MARKDOWN.render(text)


def test_a_comment_stays_below_githubs_limit() -> None:
    assert len(disarm("@" * 100_000)) < MAX_LENGTH + 100
