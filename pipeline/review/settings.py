"""Load ``review.yaml``: what a repository's review compares, and its gate."""

from pathlib import Path
from posixpath import normpath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from pipeline.config_base import Matching, StrictModel, load_settings
from pipeline.review.markdown import as_code

SETTINGS = Path("review.yaml")
MAX_NUMBER = 1e300
PLAIN = r"(?:[^\W_]|[ ,;'()-]|\.(?= |$)){1,100}"

Text = Annotated[str, StringConstraints(min_length=1)]
File = Annotated[Text, AfterValidator(normpath)]
Plain = Annotated[str, Matching(PLAIN, "up to 100 letters, digits, spaces and , ; ' ( ) -, which are no Markdown")]
Drop = Literal["interval"] | Annotated[float, Field(ge=0, le=MAX_NUMBER)]


class Column(StrictModel):
    """A metric that the table compares.

    Attributes:
        metric: The metric as `dvc metrics diff` names it.
        name: Its name in the table; default: the metric.
        bound: The metric with the worse end of its 95 % interval.
        lower_is_better: Whether it is an error or a cost.
        percent: Whether it is a fraction from 0 to 1 that is shown in percent.
    """

    metric: Text
    name: Plain | None = None
    bound: Text | None = None
    lower_is_better: bool = False
    percent: bool = False

    @property
    def worse(self) -> str:
        """The side on which values are worse."""
        return "above" if self.lower_is_better else "below"


class Gate(StrictModel):
    """The metric that a branch may not make much worse.

    Attributes:
        file: The metrics file.
        metric: The metric, one of the columns.
        name: Its name in sentences; default: the metric and the file.
        model: The metric that names the model whose metrics `file` copies.
        max_drop: How much worse it may become: "interval", percentage points, or the metric's own unit.
    """

    file: File
    metric: Text
    max_drop: Drop
    name: Plain | None = None
    model: Text | None = None

    @property
    def place(self) -> str:
        """Place of the metric, in Markdown."""
        return f"{as_code(self.metric)} in {as_code(self.file)}"


class Settings(StrictModel):
    """The whole of ``review.yaml``.

    Attributes:
        files: Folders with a metrics file for each model, and further metrics files; default: all that DVC knows.
        columns: The metrics of the table. Without any, it lists what `dvc metrics diff` does.
        seeds: The metric that counts a model's seeds.
        note: What is said of all columns.
        accept: The command that accepts results after an edit of comments.
        gate: None without a gate.
    """

    files: list[File] = Field(default_factory=list)
    columns: list[Column] = Field(default_factory=list)
    seeds: Text | None = None
    note: Plain | None = None
    accept: Text = "dvc commit"
    gate: Gate | None = None

    @property
    def gate_column(self) -> Column:
        """The column of the gate's metric."""
        return next(column for column in self.columns if self.gate and column.metric == self.gate.metric)

    @model_validator(mode="after")
    def refuse_wrong_gate(self) -> Self:
        """Refuse a gate whose metric is no column, or whose column lacks the bound that it needs."""
        if self.gate is None:
            return self
        known = [column.metric for column in self.columns]
        if self.gate.metric not in known:
            context = {"key": "gate.metric", "known": ", ".join(known) or "none yet"}
            raise PydanticCustomError("gate", "the metric of one of the columns: {known}", context)
        if self.gate.max_drop == "interval" and self.gate_column.bound is None:
            context = {"key": "gate.max_drop"}
            raise PydanticCustomError("gate", "a number, since the metric's column has no bound", context)
        return self


def load_review_settings() -> Settings:
    """Load the settings of the repository, or the default ones if there is no file.

    Raises InputError that names file, line, key, what was found and what is allowed, for each mistake.
    """
    return load_settings(SETTINGS, Settings, "settings of the review") if SETTINGS.exists() else Settings()
