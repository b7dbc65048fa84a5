"""The error that speaks to the user, and how a command ends with it."""

import errno
import sys
from collections.abc import Callable

FULL = {errno.ENOSPC, errno.EDQUOT}  # the disk, or the user's share of it


class InputError(ValueError):
    """Something the user gave is wrong: a file, a parameter, an argument.

    The message names the place, what was found and what was expected.
    """


def run(main: Callable[[], None]) -> None:
    """Run a command; an `InputError` becomes one clear message and exit status 2, not a traceback.

    So does what the system refuses, such as to write to a full disk.
    """
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.strerror is None:  # a library's own, whose message is for its callers
            raise
        place = f"{error.filename}: " if error.filename else ""
        advice = "; free some space and run the command again, nothing else is lost" if error.errno in FULL else ""
        print(f"error: {place}{error.strerror}{advice}", file=sys.stderr)
        sys.exit(2)
