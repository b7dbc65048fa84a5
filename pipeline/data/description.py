"""Describe the data beside the arrays, in ``data/dataset.json``, which the stage ``preprocess`` writes.

It is a file of its own, so that another name for a class trains nothing again. It is a module of its own, so that
`make accept-comments` can keep the scores after a change of how data is read.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.io import InputError, require_output

DESCRIPTION = Path("data/dataset.json")


class Description(BaseModel):
    """Class names in the order of the labels 0, 1, 2, …, and the images' background if nearly all have one."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    classes: list[str]
    background: Literal["dark", "light"] | None


def load_description(path: Path = DESCRIPTION) -> Description:
    """Load the description of the data.

    Raises InputError if the file is absent or holds anything else.
    """
    try:
        return Description.model_validate_json(require_output(path, "preprocess").read_bytes())
    except ValidationError as error:
        wrong = error.errors()[0]
        place = ".".join(map(str, wrong["loc"])) or "the file"
        raise InputError(f"{path}: {place}: expected classes and background, found: {wrong['msg']}") from error
