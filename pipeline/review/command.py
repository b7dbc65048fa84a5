"""Run the command ``review``.

What takes long to import, such as DVC, is imported when a review runs, since other commands need not wait for it.
"""

import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config import load_all
from pipeline.io import InputError, printable
from pipeline.programs import dvc, git
from pipeline.review.markdown import as_printable

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from pipeline.review.comment import Outputs
    from pipeline.review.scores import MaxDrop
    from pipeline.review.staleness import Stage

DESCRIPTION = """\
Review what this branch changes in the results, against the commit where it left BASE, and print a comment in Markdown.

Stale results are refused: what the lock files and the metrics hold must be the results of the code and the parameters
beside them. No cache and no remote is needed for that; a fresh clone will do.

review.yaml says which metrics are compared, and which of them may not become much worse: docs/pull-requests.md.
"""
EPILOG = """\
exit status: 0 passed, 1 stale results or a candidate that is too much worse, 2 the review could not be made

examples:
  python -m pipeline review --base origin/main
  python -m pipeline review --base origin/main --max-drop 0.5 --output review.md
  python -m pipeline review --base origin/main --pull --run evaluate report
  python -m pipeline review --base origin/main --repository ../another
"""
OWN = Path(__file__).resolve().parents[2]  # the repository of this code


def add_review(commands: "_SubParsersAction[ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "review",
        help="compare this branch's results with its base, for a pull request",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--base",
        metavar="BASE",
        required=True,
        help="the branch or commit to merge into; 40 zeros: no base, as for the first push of a branch",
    )
    parser.add_argument(
        "--max-drop",
        metavar="DROP",
        type=_max_drop,
        help="how much worse the gate's metric may become: `interval`, to the worse end of the base's 95 %% interval; "
        "percentage points, such as 0.5, or the metric's own unit; or `none`, without a limit (default: review.yaml's)",
    )
    parser.add_argument(
        "--repository",
        metavar="FOLDER",
        type=Path,
        default=Path(),
        help="review this repository and not the folder here",
    )
    parser.add_argument("--output", metavar="FILE.md", type=Path, help="write the comment there and not to the screen")
    parser.add_argument(
        "--pull",
        action="store_true",
        help="after the review, restore missing outputs from the remote or the cache",
    )
    parser.add_argument(
        "--run",
        metavar="STAGE",
        nargs="*",
        default=[],
        help="then run these stages where outputs are missing and inputs are there; `train` is all of `train@NAME`",
    )
    parser.set_defaults(command=run_review)


def _max_drop(text: str) -> "MaxDrop":
    from pipeline.review.scores import parse_max_drop

    return parse_max_drop(text)


def run_review(arguments: Namespace) -> None:
    """Review the working tree, and exit with the status that the help describes.

    Raises InputError for wrong parameters or settings, an unknown base, or a lock file that cannot be read.
    """
    from pipeline.review.comment import format_failure

    output = arguments.output and arguments.output.absolute()
    os.chdir(arguments.repository)
    try:
        passed, text = _review(arguments)
    except InputError as error:
        if output:
            output.write_text(format_failure(arguments.base, str(error)), encoding="utf-8")
        raise InputError("\n".join(map(as_printable, str(error).split("\n")))) from error
    if output:
        output.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    if not passed:
        sys.exit(1)


def _review(arguments: Namespace) -> tuple[bool, str]:
    """Return whether the branch passes, and the comment. The outcome is printed for the log."""
    from pipeline.review.comment import Review, format_review
    from pipeline.review.scores import choose_max_drop, compare
    from pipeline.review.settings import load_review_settings
    from pipeline.review.staleness import dvc_json, find_stale_results

    if not Path(".dvc").is_dir():
        raise InputError(f"{printable(Path.cwd())}: found no folder .dvc, expected the root of a DVC repository")
    if Path.cwd() == OWN:
        load_all()
    settings = load_review_settings()
    max_drop = choose_max_drop(arguments.max_drop, settings)
    commit = _find_base(arguments.base)
    params = dvc_json("params", "diff", "--json", commit) if commit else {}
    stale, comments_only = find_stale_results(settings.files)
    for stage, reasons in stale.items():
        for reason in reasons:
            print(as_printable(f"stale: {stage}: {reason.subject} {reason.state}"), file=sys.stderr)
    if stale:
        return False, format_review(Review(arguments.base, commit, params, stale, comments_only, settings=settings))
    comparison = None
    if commit:
        comparison = compare(dvc_json("metrics", "diff", "--all", "--json", commit), settings, max_drop)
        verdict = comparison.verdict
        print(f"{'passed' if verdict.passed else 'failed'}: {verdict.sentence}", file=sys.stderr)
    else:
        print("passed: the results are those of the code; there is no base to compare them with", file=sys.stderr)
    outputs = restore_outputs(arguments.pull, arguments.run) if arguments.pull or arguments.run else None
    review = Review(arguments.base, commit, params, {}, comments_only, comparison, outputs, settings)
    return comparison is None or comparison.verdict.passed, format_review(review)


def _find_base(base: str) -> str | None:
    """Return the commit where the branch left `base`; None for the zeros that stand for a branch's first push."""
    if len(base) >= 40 and not base.strip("0"):
        return None
    try:
        return git("merge-base", "--end-of-options", base, "HEAD").strip()
    except InputError as error:
        if git("rev-parse", "--is-shallow-repository").strip() == "true":
            cure = "this clone lacks older commits, which `git fetch --unshallow` brings"
        else:
            cure = "`git fetch` brings a branch; a commit that a force push removed is no base any more"
        raise InputError(
            f"--base: found {base!r}, expected a branch or commit with history in common with this one; {cure}"
        ) from error


def restore_outputs(pull: bool, wanted: Sequence[str]) -> "Outputs":
    """Restore missing outputs from the remote or the cache, then run the stages `wanted` whose inputs are there.

    DVC takes a result from its run cache where it has one, and runs the command elsewhere.
    """
    from pipeline.review.comment import Outputs
    from pipeline.review.staleness import list_stages, read_locks

    outputs = Outputs()
    if pull:
        if dvc("remote", "list").strip():
            try:
                dvc("pull", "--allow-missing", "--run-cache")
            except InputError as error:
                outputs.failures.append(str(error))
        dvc("checkout", "--allow-missing")
    stages = list_stages()
    locked = {stage: entry for stage, entry in read_locks(stages).entries.items() if stage in stages}
    left = [stage for stage in locked if _is_wanted(stage, wanted)]
    while stage := next((stage for stage in left if _can_run(stages[stage])), None):
        left.remove(stage)
        try:
            dvc("repro", "--single-item", stage)
        except InputError as error:
            outputs.failures.append(str(error))
            break
        before, now = locked[stage].outs, read_locks(stages).entries[stage].outs
        same = all(now[path] == before[path] for path in stages[stage].outs)
        (outputs.reproduced if same else outputs.differing).append(stage)
    outputs.missing.extend(path for stage in locked for path in _list_missing(stages[stage]))
    return outputs


def _is_wanted(stage: str, wanted: Sequence[str]) -> bool:
    """Return whether `wanted` names the stage, with or without its pipeline and its model.

    >>> _is_wanted("frontier/dvc.yaml:train@wide", ["train"]), _is_wanted("report", ["train"])
    (True, False)
    """
    name = stage.rpartition(":")[2]
    return not {stage, name, name.partition("@")[0]}.isdisjoint(wanted)


def _can_run(stage: "Stage") -> bool:
    return bool(_list_missing(stage)) and all(Path(path).exists() for path in stage.deps)


def _list_missing(stage: "Stage") -> list[str]:
    return sorted(path for path in stage.outs if "://" not in path and not Path(path).exists())
