"""macOS has what the code and the Makefile use, and native Windows is refused."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.clone import OUTSIDE_MAKE

# Names in `os` and modules that Linux alone has.
LINUX_ONLY = (
    *("copy_file_range", "eventfd", "memfd_create", "pidfd_open", "posix_fallocate", "sched_getaffinity"),
    *("sched_setaffinity", "setns", "splice", "unshare", "spwd", "ossaudiodev", "/proc", "/sys/"),
)
NEWER_THAN_MAKE_381 = ("&:", "::=", ".ONESHELL", ".SHELLFLAGS", "$(file ", "$(intcmp", "$(let ", "!=", "undefine")
SOURCES = [path for folder in ("pipeline", "stages", "tools") for path in sorted(Path(folder).rglob("*.py"))]


def linux_only(source: str) -> list[str]:
    """Name what Linux alone has in the functions that do not ask first whether it is there."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.Import | ast.ImportFrom):
            code = ast.unparse(node)
            asks = re.search(r"hasattr\(os, |\.exists\(\)", code)
            found += [name for name in LINUX_ONLY if not asks and re.search(rf"(\bos\.|import |['\"]){name}", code)]
    return found


def test_what_linux_alone_has_is_found_without_a_question() -> None:
    assert linux_only("def f():\n    return os.sched_getaffinity(0)") == ["sched_getaffinity"]
    assert linux_only("def f():\n    return Path('/proc/cpuinfo').read_text()") == ["/proc"]
    assert linux_only("def f():\n    return os.sched_getaffinity(0) if hasattr(os, 'sched_getaffinity') else 1") == []


def test_nothing_needs_linux() -> None:
    found = {str(path): linux_only(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert {path: names for path, names in found.items() if names} == {}


def test_the_makefile_suits_the_make_of_macos() -> None:
    makefile = Path("Makefile").read_text(encoding="utf-8")
    assert [feature for feature in NEWER_THAN_MAKE_381 if feature in makefile] == []
    assert "SHELL := /bin/bash" in makefile, "make 3.81 passes an exported PATH only through a shell that is set"


ON_WINDOWS = (
    "import sys, pipeline.config as config, pipeline.io as io; sys.platform = 'win32'; io.run(config.load_config)"
)


@pytest.mark.parametrize(
    "command",
    [
        ["make", "--dry-run", "setup", "OS=Windows_NT"],
        [sys.executable, "-c", ON_WINDOWS],
    ],
    ids=["make", "python"],
)
def test_native_windows_is_refused_with_one_sentence(command: list[str]) -> None:
    done = subprocess.run(command, env=OUTSIDE_MAKE, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert "Windows: " in line
    assert "WSL" in line
