"""What the result of a training depends on, as one number."""

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def fingerprint(files: Iterable[Path], settings: Mapping[str, Any]) -> str:
    """SHA-256 over the bytes of `files`, over `settings`, and over the project's code that trains.

    That is this package and the project's modules that are imported by now, less the schema of the parameters, which
    can refuse a value but not change one.
    """
    code = set(Path(__file__).parent.glob("*.py"))
    for name, module in sys.modules.items():
        if name.startswith("pipeline.") and not name.startswith("pipeline.params") and module.__file__:
            code.add(Path(module.__file__))
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in [*sorted(code), *files]:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
