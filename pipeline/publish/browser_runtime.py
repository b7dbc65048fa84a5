"""Fetch ONNX Runtime Web, which runs models in browsers, from the npm registry."""

from pathlib import Path

CACHE = Path(".dvc/tmp")  # ignored by git and by DVC
