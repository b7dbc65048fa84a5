"""The error that speaks to the user, and how a command ends with it."""

import sys
from collections.abc import Callable


class InputError(ValueError):
    """Something the user gave is wrong: a file, a parameter, an argument.

    The message names the place, what was found and what was expected.
    """


def run(main: Callable[[], None]) -> None:
    """Run a command; an `InputError` becomes one clear message and exit status 2, not a traceback."""
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
