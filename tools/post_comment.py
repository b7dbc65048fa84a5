"""Post a file of Markdown as the one comment on a pull request of GitHub or a merge request of GitLab.

The comment that stands there from an earlier run is updated in place. The file may come from a stranger's branch: its
text is posted as text that notifies nobody, links nowhere and gives no command. Needs Python alone, so that the job
whose token may write installs nothing.
"""

import json
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple

MARKER = "<!-- results of this branch, updated in place -->"
LONGEST = 60_000  # characters; GitHub takes 65,536 in a comment
PAGE = 100
TIMEOUT = 60  # seconds
REFUSED = (401, 403, 404)  # GitHub and GitLab answer these where a token may not write, or not even see

ZERO_WIDTH = "\N{ZERO WIDTH SPACE}"
ACTIVE = re.compile(
    r"(?<=@)"  # mentions
    r"|(?<=<)(?!/?(?:details|summary|code)>)"  # all HTML but these tags
    r"|(?<=:)(?=//)|(?<=\bwww)(?=\.)|(?<=\])(?=[(:\[])"  # links and images
    r"|^(?=[ \t]*/)",  # commands such as GitLab's quick actions
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
    """JSON over HTTP, with a token that no other address is given."""

    def __init__(self, address: str, header: str, token: str) -> None:
        self.address = address.rstrip("/")
        self.header = header
        self.token = token

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request and read the answer.

        Raises NotAllowedError for a token that may not, OSError for any other failure.
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
        """Every item of a list, page by page."""
        number = 1
        while page := self.ask("GET", f"{path}{'&' if '?' in path else '?'}per_page={PAGE}&page={number}"):
            yield from page
            number += 1


def main() -> None:
    """Post the file, or say why it was not posted."""
    parser = ArgumentParser(description=__doc__, epilog=DESCRIPTION, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("file", metavar="FILE.md", type=Path)
    text = parser.parse_args().file.read_text(encoding="utf-8", errors="replace")
    try:
        request = _gitlab() if "GITLAB_CI" in os.environ else _github()
        if request is None:
            print("No open pull request is at this commit any more: nothing is posted.")
            return
        print(post(request, text))
    except NotAllowedError as error:
        print(f"The token may not post the comment, which stays in the run's summary and files: {error}")
    except KeyError as error:
        sys.exit(f"error: found no {error} in the environment or the event; --help says what is needed")
    except (OSError, HTTPException, ValueError) as error:
        sys.exit(f"error: the comment could not be posted: {error}")


def post(request: Request, text: str) -> str:
    """Update the comment that begins with our marker and is by the token's own user, or add one."""
    body = f"{MARKER}\n{request.origin}\n\n{harmless(text)}"
    me = _user(request.api)
    for comment in request.api.all(request.comments):
        author = comment.get("user") or comment.get("author") or {}
        if comment["body"].startswith(MARKER) and author.get("login", author.get("username")) == me:
            request.api.ask(request.update, request.comment.format(id=int(comment["id"])), {"body": body})
            return "The comment is updated."
    request.api.ask("POST", request.comments, {"body": body})
    return "The comment is posted."


def harmless(text: str) -> str:
    """The text as it is, but that nothing in it acts; cut at `LONGEST` characters."""
    disarmed = ACTIVE.sub(ZERO_WIDTH, text)
    return disarmed if len(disarmed) <= LONGEST else f"{disarmed[:LONGEST]}\n\n… cut here; the run has all of it."


def _user(api: Api) -> str:
    """The name under which the token posts."""
    try:
        user = api.ask("GET", "user")
    except NotAllowedError:
        return "github-actions[bot]"  # the token of a GitHub workflow may not ask
    return str(user.get("login", user.get("username")))


def _github() -> Request | None:
    """The open pull request whose head is the commit of the run that the event tells of."""
    repository = os.environ["GITHUB_REPOSITORY"]
    api = Api(os.environ["GITHUB_API_URL"], "Authorization", f"Bearer {os.environ['GITHUB_TOKEN']}")
    run = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))["workflow_run"]
    fork, commit = run["head_repository"], run["head_sha"]
    if fork is None:  # deleted since
        return None
    query = urllib.parse.urlencode({"state": "open", "head": f"{fork['owner']['login']}:{run['head_branch']}"})
    for pull in api.all(f"repos/{repository}/pulls?{query}"):
        if pull["head"]["sha"] == commit:
            issues = f"repos/{repository}/issues"
            comments, comment = f"{issues}/{int(pull['number'])}/comments", f"{issues}/comments/{{id}}"
            return Request(api, comments, comment, "PATCH", _origin(run["html_url"], commit))
    return None


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
