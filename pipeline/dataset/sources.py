"""The raw files, from the first of several sources that delivers them as pinned."""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from pipeline.dataset.debian import debian_package
from pipeline.dataset.delivery import Opener, SourceError, SourceUnusableError, deliver
from pipeline.dataset.folder import local_folder
from pipeline.dataset.mirror import https_mirror
from pipeline.errors import InputError
from pipeline.params.schema import DataParams, DebianSource, FolderSource, RawFile, Source, UrlSource


def raw_files(data: DataParams) -> list[RawFile]:
    """The files of the form that ``data.format`` names; none of ``images``, which lie on this machine already."""
    if data.format == "images":
        return []
    form = data.idx if data.format == "idx" else data.csv
    return [file for _, file in form]


def fetch(files: Sequence[RawFile], sources: Sequence[Source], folder: Path) -> None:
    """Put each of `files` into `folder`, unpacked, from the first of `sources` that delivers its SHA-256.

    A file without a pinned SHA-256 is taken from a `FolderSource` only. A source that fails is named on stderr
    with its reason, and the next one is tried.

    Raises InputError listing every source and reason when a file is had from none; no partial file is left.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing, failures = list(files), []
    for source in sources:
        if missing:
            missing, reasons = _fetch_from(source, missing, folder)
            for reason in reasons:
                print(reason, file=sys.stderr)
            failures += reasons
    if missing:
        names = ", ".join(file.name for file in missing)
        raise InputError("\n  ".join([f"data.sources: found none that delivers {names}:", *failures]))


def _fetch_from(source: Source, files: list[RawFile], folder: Path) -> tuple[list[RawFile], list[str]]:
    """Ask one source for `files`; gives those still missing, and why."""
    kind, place = next(iter(source))
    pinned = [file for file in files if file.sha256 is not None or isinstance(source, FolderSource)]
    reasons = [
        f"{kind}: {place}: {file.name}: its sha256 is null, so that only a folder may deliver it"
        for file in files
        if file not in pinned
    ]
    if not pinned:
        return files, reasons
    delivered = []
    try:
        with _opening(source) as open_file:
            for file in pinned:
                try:
                    with open_file(file.name) as stream:
                        deliver(stream, file, folder / file.name)
                    delivered.append(file)
                except SourceUnusableError:
                    raise
                except SourceError as reason:
                    reasons.append(f"{kind}: {place}: {file.name}: {reason}")
    except SourceUnusableError as reason:
        reasons.append(f"{kind}: {place}: {reason}")
    return [file for file in files if file not in delivered], reasons


def _opening(source: Source) -> AbstractContextManager[Opener]:
    match source:
        case UrlSource():
            return https_mirror(source.url)
        case DebianSource():
            return debian_package(source.debian)
        case FolderSource():
            return local_folder(Path(source.folder))
