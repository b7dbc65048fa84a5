"""What every section of ``params.yaml`` is."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError


class Section(BaseModel):
    """A mapping of ``params.yaml``: its keys are exactly the fields."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def refuse_unknown_keys(cls, section: Any) -> Any:
        """Name the keys that are allowed, which pydantic's own error does not."""
        for key in section if isinstance(section, dict) else ():
            if key not in cls.model_fields:
                context = {"key": key, "allowed": ", ".join(cls.model_fields)}
                raise PydanticCustomError("unknown_key", "no such key; allowed: {allowed}", context)
        return section
