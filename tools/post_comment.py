"""Post a file of Markdown as the one comment on a pull request of GitHub or a merge request of GitLab.

A comment from an earlier run is updated in place. The file may come from a stranger's branch: its text is posted
so that it notifies nobody, links nowhere and gives no command. It needs nothing but Python, so that the job whose
token may write installs nothing.
"""

import json
import os
import re
import stat
import sys
import unicodedata
import urllib.error
import urllib.parse
import urllib.request
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple

MARKER = "<!-- results of this branch, updated in place -->"
MAX_LENGTH = 60_000  # characters; GitHub takes 65,536 in a comment
PAGE = 100
TIMEOUT = 60  # seconds
REFUSED = (401, 403, 404)  # GitHub and GitLab answer these where a token may not write, or not even see

ZERO_WIDTH = "\N{ZERO WIDTH SPACE}"
ACTIVE = re.compile(
    r"(?<=&)"  # character references, which could spell any of the following; GitLab's epics
    r"|(?<=[@#!~%$^])(?=[^\s#])"  # people, issues, merge requests, labels, milestones, snippets, formulas
    r"|(?<=(?-i:[A-Z])-)(?=\w)|(?<=[a-z]-)(?=\d)"  # GH-1, CVE-2026-1, and whatever a project has set up
    r"|(?<=:)(?=[^\s|-])|(?<=/)(?=/)"  # addresses of any scheme, emoji, [issue:1]
    r"|(?<=[0-9a-f]{6})(?=[0-9a-f])"  # commit hashes
    r"|(?<=<)(?!/?(?:details|summary)>)"  # all HTML but these tags
    r"|(?<=www)(?=\.)|(?<=\])(?=[(:\[])|(?<=\[)(?=\[)"  # links and images
    r"|(?<=``)(?=`)"  # blocks that are drawn, such as diagrams
    r"|(?<=\\)"  # escapes, which could hide any of these; commands in formulas
    r"|^(?=[^\S\n]*/)",  # commands such as GitLab's quick actions
    re.IGNORECASE | re.MULTILINE,
)
DESCRIPTION = """\
On GitHub: GITHUB_TOKEN (may write pull requests), GITHUB_REPOSITORY, GITHUB_API_URL, GITHUB_EVENT_PATH of a run that
`workflow_run` started; its pull request is found by GitHub's own record of the commit, not by what the file says.
On GitLab: GITLAB_TOKEN (of scope api), CI_API_V4_URL, CI_MERGE_REQUEST_PROJECT_ID, CI_MERGE_REQUEST_IID.

A token that may not write is no failure: the reason is printed, and the comment stays where it is.
"""


class NotAllowedError(Exception):
    """The token may not do this."""


class Request(NamedTuple):
    """A pull or merge request: where its comments are, where one of them is, and what ours says of its origin."""

    api: "Api"
    comments: str
    comment: str  # with {id} in it
    update: str  # the method
    origin: str


class Api:
    """JSON over HTTP. The token is sent to this address alone, not to one that it redirects to."""

    def __init__(self, address: str, header: str, token: str) -> None:
        self.address = address.rstrip("/")
        self.header = header
        self.token = token

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request and read the answer.

        Args:
            method: The HTTP method.
            path: The path after the API's address.
            body: What to send as JSON; None sends nothing.

        Returns:
            The JSON of the answer.

        Raises:
            NotAllowedError: The token has no right to do this.
            OSError: Any other failure.
        """
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/{path}", data, method=method)
        request.add_header("Content-Type", "application/json")
        request.add_header("User-Agent", "post_comment.py")
        request.add_unredirected_header(self.header, self.token)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code in REFUSED:
                raise NotAllowedError(f"{method} {path}: HTTP {error.code} {error.reason}") from error
            raise

    def all(self, path: str) -> Iterator[Any]:
        """Yield every item of a list, page by page."""
        number = 1
        while page := self.ask("GET", f"{path}{'&' if '?' in path else '?'}per_page={PAGE}&page={number}"):
            yield from page
            number += 1


def main() -> None:
    """Post the file, or say why it was not posted."""
    parser = ArgumentParser(description=__doc__, epilog=DESCRIPTION, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("file", metavar="FILE.md", type=Path)
    path = parser.parse_args().file
    try:
        text = read_comment(path)
        request = _gitlab() if "GITLAB_CI" in os.environ else _github()
        if request is None:
            print("Found no or several open pull requests at this commit, expected one: nothing is posted.")
            return
        print(post(request, text))
    except FileNotFoundError:
        print(f"{path}: the run left no such file: nothing is posted.")
    except NotAllowedError as error:
        print(f"The token may not post the comment, which stays in the run's summary and files: {error}")
    except KeyError as error:
        sys.exit(f"error: found no {error} in the environment or the event; --help says what is needed")
    except (OSError, HTTPException, ValueError) as error:
        sys.exit(f"error: the comment could not be posted: {error}")


def read_comment(path: Path) -> str:
    """Read the beginning of a file that a stranger's branch left, as much as a comment can hold.

    Raises ValueError for anything but a file of its own: a link could lead to what only this job may read.
    """
    if path.is_symlink():
        raise ValueError(f"{path}: found a link, expected a file")
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError(f"{path}: found no regular file, expected one")
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
        return file.read(MAX_LENGTH + 1)


def post(request: Request, text: str) -> str:
    """Update the comment that begins with our marker and is by the token's own user, or add one."""
    body = f"{MARKER}\n{request.origin}\n\n{disarm(text)}"
    me = _user(request.api)
    for comment in request.api.all(request.comments):
        author = comment.get("user") or comment.get("author") or {}
        if comment["body"].startswith(MARKER) and author.get("login", author.get("username")) == me:
            request.api.ask(request.update, request.comment.format(id=int(comment["id"])), {"body": body})
            return "The comment is updated."
    request.api.ask("POST", request.comments, {"body": body})
    return "The comment is posted."


def disarm(text: str) -> str:
    """Return the text so that it reads the same and nothing in it acts, cut at `MAX_LENGTH` characters.

    Control and format characters are removed, as they could hide what stands there.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    visible = "".join(c for c in lines if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
    disarmed = ACTIVE.sub(ZERO_WIDTH, visible)
    return disarmed if len(disarmed) <= MAX_LENGTH else f"{disarmed[:MAX_LENGTH]}\n\n… cut here; the run has all of it."


def _user(api: Api) -> str:
    """Return the name under which the token posts."""
    try:
        user = api.ask("GET", "user")
    except NotAllowedError:
        return "github-actions[bot]"  # the token of a GitHub workflow may not ask
    return str(user.get("login", user.get("username")))


def _github() -> Request | None:
    """Return the open pull request whose head is the commit of the run in the event; None without exactly one.

    The event does not tell into which branch the run's pull request is to be merged, if there are several.
    """
    repository = os.environ["GITHUB_REPOSITORY"]
    api = Api(os.environ["GITHUB_API_URL"], "Authorization", f"Bearer {os.environ['GITHUB_TOKEN']}")
    run = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))["workflow_run"]
    fork, commit = run["head_repository"], run["head_sha"]
    if fork is None:  # deleted since
        return None
    query = urllib.parse.urlencode({"state": "open", "head": f"{fork['owner']['login']}:{run['head_branch']}"})
    found = [pull for pull in api.all(f"repos/{repository}/pulls?{query}") if pull["head"]["sha"] == commit]
    if len(found) != 1:
        return None
    issues = f"repos/{repository}/issues"
    comments, comment = f"{issues}/{int(found[0]['number'])}/comments", f"{issues}/comments/{{id}}"
    return Request(api, comments, comment, "PATCH", _origin(run["html_url"], commit))


def _gitlab() -> Request:
    if not os.environ.get("GITLAB_TOKEN"):
        raise NotAllowedError("GITLAB_TOKEN is not set; a fork's pipeline has none")
    api = Api(os.environ["CI_API_V4_URL"], "PRIVATE-TOKEN", os.environ["GITLAB_TOKEN"])
    project, number = int(os.environ["CI_MERGE_REQUEST_PROJECT_ID"]), int(os.environ["CI_MERGE_REQUEST_IID"])
    notes = f"projects/{project}/merge_requests/{number}/notes"
    origin = _origin(os.environ["CI_PIPELINE_URL"], os.environ["CI_COMMIT_SHA"])
    return Request(api, notes, f"{notes}/{{id}}", "PUT", origin)


def _origin(address: str, commit: str) -> str:
    return f"Of {commit}, by [this run]({address}) of the branch's own code."


if __name__ == "__main__":
    main()
