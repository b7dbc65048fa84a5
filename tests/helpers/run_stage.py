"""Run a stage in this process."""

import sys
from collections.abc import Callable

import pytest


def run_stage(main: Callable[[], None], *arguments: str) -> None:
    """Run a stage's `main` in the working folder with the arguments given."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["stage", *arguments])
        main()
