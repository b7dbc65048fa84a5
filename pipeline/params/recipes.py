"""What ``params.yaml`` may hold on how any architecture is trained: the entries of ``recipes``."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, NonNegativeFloat, NonNegativeInt, Tag

from pipeline.params.section import Section


class WarmUpAndDecay(Section):
    """A learning rate that rises from 0 in a line, over a share of all steps, and falls to 0 over the others."""

    warm_up: Annotated[float, Field(ge=0, lt=1)]
    decay: Literal["cosine", "linear"]


def _kind(schedule: Any) -> str:
    """Tag of a schedule, whether it was validated already or not."""
    return "changing" if isinstance(schedule, dict | WarmUpAndDecay) else "constant"


Schedule = Annotated[
    Annotated[Literal["constant"], Tag("constant")] | Annotated[WarmUpAndDecay, Tag("changing")], Discriminator(_kind)
]


class Recipe(Section):
    """What happens to images, labels, learning rate and weights while any network is trained."""

    flip: Literal["none", "random", "alternating"]
    shift: NonNegativeInt
    erase: NonNegativeInt
    mixup: NonNegativeFloat
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    schedule: Schedule
    averaging: Annotated[float, Field(gt=0, lt=1)] | None
    test_time_mirror: bool
    test_time_shift: NonNegativeInt
    cpu_precision: Literal["float32", "bfloat16"]
