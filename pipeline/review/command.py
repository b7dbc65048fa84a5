"""The command ``review``."""

import json
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import InputError
from pipeline.params.reading import read_params
from pipeline.programs import dvc, git
from pipeline.review.comment import Comparison, comment, no_comment
from pipeline.review.gate import allowed_drop, judge
from pipeline.review.outputs import restore
from pipeline.review.scores import compare_candidate, compare_models
from pipeline.review.staleness import stale_results

if TYPE_CHECKING:
    from argparse import _SubParsersAction

DESCRIPTION = """\
Review what this branch changes in the results, against the commit where it left BASE, and print a comment in Markdown.

Stale results are refused: what `dvc.lock` and `metrics/` hold must be of the code and the parameters beside them. No
cache and no remote is needed for that; a fresh clone will do.
"""
EPILOG = """\
exit status: 0 passed, 1 stale results or a candidate that is too much worse, 2 the review could not be made

examples:
  python -m pipeline review --base origin/main
  python -m pipeline review --base origin/main --max-drop 0.5 --output review.md
  python -m pipeline review --base origin/main --restore evaluate report
"""


def add_review(commands: "_SubParsersAction[ArgumentParser]") -> None:
    """Add the command to those that the command line knows."""
    parser = commands.add_parser(
        "review",
        help="compare this branch's results with its base, for a pull request",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--base", metavar="BASE", required=True, help="the branch or commit to merge into")
    parser.add_argument(
        "--max-drop",
        metavar="DROP",
        type=allowed_drop,
        default="interval",
        help="how far the candidate's macro F1 on the test images may drop: `interval`, to the lower end of the base's "
        "95 %% interval (default); percentage points, such as 0.5; or `none`, as far as it likes",
    )
    parser.add_argument("--output", metavar="FILE.md", type=Path, help="write the comment there and not to the screen")
    parser.add_argument(
        "--restore",
        metavar="STAGE",
        nargs="*",
        help="then bring back the outputs that the remote or the cache has, and run these stages where outputs are "
        "still missing and inputs are there",
    )
    parser.set_defaults(command=run_review)


def run_review(arguments: Namespace) -> None:
    """Review the working tree, and leave with the exit status that the help describes.

    Raises InputError for parameters that are wrong, a base that is not there, a lock that DVC cannot read.
    """
    try:
        passed, text = _review(arguments)
    except InputError as error:
        _write(arguments.output, no_comment(arguments.base, str(error)))
        raise
    _write(arguments.output, text)
    if not passed:
        sys.exit(1)


def _review(arguments: Namespace) -> tuple[bool, str]:
    """Whether the branch passes, and the comment; what it comes to is printed for the log."""
    read_params()
    base = _merge_base(arguments.base)
    params = json.loads(dvc("params", "diff", "--json", base))
    stale = stale_results()
    if stale:
        for stage, reasons in stale.items():
            for reason in reasons:
                print(f"stale: {stage}: {reason.subject} {reason.state}", file=sys.stderr)
        return False, comment(arguments.base, base, params, stale)
    metrics = json.loads(dvc("metrics", "diff", "--all", "--json", base))
    candidate = compare_candidate(metrics)
    verdict = judge(candidate.scores.f1_macro, arguments.max_drop)
    print(f"{'passed' if verdict.passed else 'failed'}: {verdict.sentence}", file=sys.stderr)
    outputs = None if arguments.restore is None else restore(arguments.restore)
    comparison = Comparison(compare_models(metrics), candidate, verdict, metrics, outputs)
    return verdict.passed, comment(arguments.base, base, params, comparison)


def _merge_base(base: str) -> str:
    try:
        return git("merge-base", "--end-of-options", base, "HEAD").strip()
    except InputError as error:
        raise InputError(
            f"--base: found {base!r}, expected a branch or commit whose history this clone has; `git fetch` brings it"
        ) from error


def _write(path: Path | None, text: str) -> None:
    if path is None:
        print(text, end="")
    else:
        path.write_text(text, encoding="utf-8")
