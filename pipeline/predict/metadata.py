"""Read what the ONNX file of a published model says of itself, so that nothing else is needed to predict."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Json, ValidationError

from pipeline.data.messages import printable
from pipeline.io import InputError


def _distinct(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("names that differ from each other expected")
    return names


Printable = Annotated[str, Field(min_length=1), AfterValidator(printable)]
Optional = BeforeValidator(lambda text: text or None)  # metadata are texts; an empty one says that there is none


class Metadata(BaseModel):
    """Metadata of a file that `predict` needs; the file may hold more.

    Attributes:
        name: The model's.
        class_names: In the order of the outputs.
        background: Of nearly all images of its data, if they have one.
        content_extent: How much of the frame the content of its data fills; None where images are not cropped.
    """

    model_config = ConfigDict(frozen=True)

    name: Printable
    class_names: Annotated[Json[list[Printable]], AfterValidator(_distinct)]
    background: Annotated[Literal["dark", "light"] | None, Optional]
    content_extent: Annotated[Annotated[float, Field(gt=0, le=1)] | None, Optional]


def read_metadata(values: Mapping[str, str], classes: int, path: Path) -> Metadata:
    """Check the metadata of an ONNX file.

    Args:
        values: The metadata.
        classes: Number of classes that the model tells apart.
        path: The file, for error messages.

    Returns:
        What is needed of them.

    Raises:
        InputError: An entry is absent or wrong, or there are other numbers of names and classes.
    """
    expected = "expected a file that `python -m pipeline publish` has written"
    try:
        metadata = Metadata.model_validate(values)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        key = wrong["loc"][0]
        if wrong["type"] == "missing":
            raise InputError(f"{printable(path)}: found no {key} in its metadata, {expected}") from error
        message = f"found {printable(values[str(key)][:80])} ({wrong['msg']})"
        raise InputError(f"{printable(path)}: metadata, {key}: {message}, {expected}") from error
    if len(metadata.class_names) != classes:
        found = f"{len(metadata.class_names)} class names for {classes} classes"
        raise InputError(f"{printable(path)}: metadata, class_names: found {found}, {expected}")
    return metadata
