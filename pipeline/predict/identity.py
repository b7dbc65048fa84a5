"""Check that the data are those that a model was trained on.

A model knows its classes by number alone. Their names are in ``data/dataset.json``, and would be another data set's
once that is prepared. DVC has recorded the MD5 of the images that each training read.
"""

import hashlib
import re
import sys
from pathlib import Path

from pipeline.config import Layout
from pipeline.io import InputError, require_output


def check_training_data(prepared: Path, layout: Layout, name: str) -> None:
    """Check that prepared images are those that a model was trained on. Other names of the same classes are no change.

    Where DVC has recorded no training, as after one by hand, a line on stderr says that nothing was checked.

    Args:
        prepared: The archive of the prepared images.
        layout: The pipeline of the model.
        name: The model.

    Raises:
        InputError: The images have changed since, or are absent.
    """
    require_output(prepared, "preprocess")
    lock = layout.folder / "dvc.lock"
    expected = recorded_md5(lock, f"train@{name}", prepared)
    if expected is None:
        found = f"{lock}: found no training of {name}"
        print(f"{found}; whether it was trained on {prepared} is not known", file=sys.stderr)
        return
    with prepared.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != expected:
        advice = f"the data changed after the training, run `dvc repro {layout.stage('train', name)}`"
        raise InputError(f"{prepared}: found other images than {name} was trained on by {lock}; {advice}")


def recorded_md5(lock: Path, stage: str, path: Path) -> str | None:
    """Return the MD5 that a lock file has of what a stage read.

    Lines are searched as DVC writes them, since parsing all YAML of the file takes a sixth of a second.

    Args:
        lock: The lock file, which may be absent.
        stage: The stage, as the file names it.
        path: What the stage read.

    Returns:
        The MD5 in hexadecimal digits, or None if there is none.
    """
    try:
        text = lock.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    entry = re.search(rf"^  {re.escape(stage)}:\n(?:    .*\n)+", text, re.MULTILINE)
    keys = r"(?:      .*\n)*?"  # of the same item
    item = rf"^    - path: {re.escape(str(path))}\n{keys}      md5: ([0-9a-f]{{32}})$"
    found = re.search(item, entry.group(), re.MULTILINE) if entry else None
    return found.group(1) if found else None
