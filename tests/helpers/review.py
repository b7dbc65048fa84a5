"""Review a repository in this process, as ``python -m pipeline review --repository`` does."""

from argparse import ArgumentParser
from contextlib import chdir
from typing import NamedTuple

import pytest

from pipeline.review.command import add_review
from tests.helpers.clone import ROOT, Clone


class Outcome(NamedTuple):
    """Result of a review: its exit status, the lines about it, and the comment."""

    status: int
    lines: list[str]
    comment: str


def review(clone: Clone, capsys: pytest.CaptureFixture[str], *options: str) -> Outcome:
    """Review a clone from this repository's folder; raises InputError where the command exits with 2."""
    parser = ArgumentParser()
    add_review(parser.add_subparsers())
    arguments = parser.parse_args(["review", "--repository", str(clone.folder), *options])
    status = 0
    with chdir(ROOT):
        try:
            arguments.command(arguments)
        except SystemExit as error:
            status = int(str(error.code))
    printed = capsys.readouterr()
    return Outcome(status, printed.err.splitlines(), printed.out)
