"""Fetch raw files from the first of several sources that has them with the pinned SHA-256."""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from pipeline.config_data import DebianSource, FolderSource, RawFile, Source, UrlSource
from pipeline.data.sources.base import (
    Opener,
    SourceError,
    SourceUnavailableError,
    is_watched,
    local_folder,
    save_verified,
)
from pipeline.data.sources.debian import debian_package
from pipeline.data.sources.mirror import https_mirror
from pipeline.io import InputError, printable


def fetch(files: Sequence[RawFile], sources: Sequence[Source], folder: Path) -> None:
    """Fetch each file from the first source that delivers its SHA-256, and save it decompressed.

    A file without a pinned SHA-256 is accepted from data/local only, where DVC notices its changes. A source that fails
    is named on stderr with its reason, and the next one is tried.

    Args:
        files: The files to fetch.
        sources: Where to look for them, in this order.
        folder: The folder to save them in.

    Raises:
        InputError: No source delivers some file. The message lists every source and reason. No partial file is left.
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
    """Ask one source for `files`. Return those still missing, and why."""
    kind, address = next(iter(source))
    place = f"{kind}: {printable(address)}"
    watched = isinstance(source, FolderSource) and is_watched(Path(source.folder))
    accepted = [file for file in files if file.sha256 is not None or watched]
    reasons = [
        f"{place}: {file.name}: its sha256 is null, so that only data/local may deliver it, not through a link"
        for file in files
        if file not in accepted
    ]
    if not accepted:
        return files, reasons
    delivered = []
    try:
        with _open_source(source) as open_file:
            for file in accepted:
                try:
                    with open_file(file.name) as stream:
                        save_verified(stream, file, folder / file.name)
                    delivered.append(file)
                except SourceUnavailableError:
                    raise
                except SourceError as reason:
                    reasons.append(f"{place}: {file.name}: {printable(str(reason))}")
    except SourceUnavailableError as reason:
        reasons.append(f"{place}: {printable(str(reason))}")
    return [file for file in files if file not in delivered], reasons


def _open_source(source: Source) -> AbstractContextManager[Opener]:
    match source:
        case UrlSource():
            return https_mirror(source.url)
        case DebianSource():
            return debian_package(source.debian)
        case FolderSource():
            return local_folder(Path(source.folder))
