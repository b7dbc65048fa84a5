"""Write error messages about data: several faults at once, the number of classes."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike

from pipeline.io import InputError, printable

MOST_FAULTS = 20  # that one run names; whoever has more has one cause for them
FEWEST_CLASSES, MOST_CLASSES = 2, 256  # a label is one byte


def join_names(names: Iterable[str]) -> str:
    """Return names of classes on one line, printable and separated by commas."""
    return ", ".join(map(printable, names))


@contextmanager
def naming(path: str | PathLike[str]) -> Iterator[None]:
    """Turn an OSError of the block into an InputError that begins with the path, printable."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{printable(path)}: {error.strerror}") from error


class Faults:
    """Collect the errors of many files, so that one run names up to twenty of them."""

    def __init__(self) -> None:
        self._messages: list[str] = []

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Keep an InputError of the block for later. The twentieth ends the search."""
        try:
            yield
        except InputError as error:
            if len(self._messages) > MOST_FAULTS:
                raise  # a block inside this one found the twentieth
            self._messages.append(str(error))
            if len(self._messages) == MOST_FAULTS:
                self._messages.append(f"stopped after {MOST_FAULTS} faults")
                self.check()

    def check(self) -> None:
        """Raise InputError with one line for each fault that was collected."""
        if self._messages:
            raise InputError("\n".join(self._messages))


def check_class_count(classes: Sequence[str], place: str) -> None:
    """Raise InputError, beginning with `place`, unless there are 2 to 256 classes."""
    if not FEWEST_CLASSES <= len(classes) <= MOST_CLASSES:
        expected = f"{FEWEST_CLASSES} to {MOST_CLASSES}"
        raise InputError(f"{place}: found {len(classes):,} classes, expected {expected}")
