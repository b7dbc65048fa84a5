"""The schema of ``recipes`` and ``models`` in ``params.yaml``.

The options of an architecture are read from its file.
"""

import ast
import re
import typing
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import pydantic
from pydantic import (
    Discriminator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Tag,
    model_validator,
)
from pydantic_core import PydanticCustomError

from pipeline.config_base import Fraction, Name, Seed, StrictModel

ARCHITECTURES = Path(__file__).parent / "architectures"


class LrSchedule(StrictModel):
    """Linear warm-up from 0 over a fraction of all steps, then decay to 0."""

    warmup: Annotated[float, Field(ge=0, lt=1)]
    """fraction of all steps in which the learning rate rises"""
    decay: Literal["cosine", "linear"]
    """how it falls after that, to 0"""


def _schedule_tag(schedule: Any) -> str:
    return "changing" if isinstance(schedule, dict | LrSchedule) else "constant"


class Recipe(StrictModel):
    """Training techniques that work with any architecture."""

    flip: Literal["none", "random", "alternating"]
    """horizontal flip: none, random, or alternating (each image is flipped every other epoch)"""
    translate: NonNegativeInt
    """random translation by at most this many pixels in each direction"""
    cutout: NonNegativeInt
    """side of the black square put at a random position, in pixels"""
    mixup: NonNegativeFloat
    """alpha of the Beta distribution that mixes pairs of images and labels; 0 is off"""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    """share of each label that is spread over all classes"""
    lr_schedule: Annotated[
        Annotated[Literal["constant"], Tag("constant")] | Annotated[LrSchedule, Tag("changing")],
        Discriminator(_schedule_tag),
    ]
    """constant, or {warmup: fraction of all steps, decay: cosine or linear}"""
    ema: Fraction | None
    """momentum of an exponential moving average of the weights, such as 0.99; empty (null) is off"""
    tta_flip: bool
    """test-time augmentation: average the predictions for the image and its mirror image"""
    tta_translate: NonNegativeInt
    """also for the image moved by this many pixels up and left, and down and right"""
    cpu_precision: Literal["float32", "bfloat16"]
    """bfloat16 is faster on CPUs that have it; GPUs that have it always use it"""


class AdaptiveOptimizer(StrictModel):
    """An optimizer of the Adam family, with Keras' settings but for the learning rate."""

    name: Literal["adam", "nadam", "rmsprop"]
    """the optimizer, as Keras calls it"""
    learning_rate: PositiveFloat
    """size of a step; the recipe's schedule changes it"""


class SgdOptimizer(StrictModel):
    """Stochastic gradient descent. With ``batch_size: full`` it is plain gradient descent."""

    name: Literal["sgd"]
    """stochastic gradient descent"""
    learning_rate: PositiveFloat
    """size of a step; the recipe's schedule changes it"""
    momentum: Annotated[float, Field(ge=0, lt=1)]
    """share of the last step that is added to the next; 0.0 is off"""


class AdamwOptimizer(StrictModel):
    """Adam with decoupled weight decay."""

    name: Literal["adamw"]
    """Adam with decoupled weight decay"""
    learning_rate: PositiveFloat
    """size of a step; the recipe's schedule changes it"""
    weight_decay: NonNegativeFloat
    """share of each weight that a step removes, times the learning rate"""


class SgdwOptimizer(StrictModel):
    """Stochastic gradient descent with Nesterov momentum and decoupled weight decay, relative to the learning rate."""

    name: Literal["sgdw"]
    """Nesterov momentum with decoupled weight decay"""
    learning_rate: PositiveFloat
    """size of a step; the recipe's schedule changes it"""
    momentum: Fraction
    """share of the last step that is added to the next"""
    weight_decay: NonNegativeFloat
    """share of each weight that a step removes, times the learning rate"""


class MuonOptimizer(StrictModel):
    """Muon for the kernels of hidden layers, with decoupled weight decay, and Adam for all other weights."""

    name: Literal["muon"]
    """Muon for hidden kernels, Adam for all other weights"""
    learning_rate: PositiveFloat
    """size of Muon's step; the recipe's schedule changes it"""
    momentum: Fraction
    """share of the mean gradient that a step keeps"""
    weight_decay: NonNegativeFloat
    """share of each hidden kernel's weights that a step removes, times the learning rate"""
    adam_learning_rate: PositiveFloat
    """size of Adam's step, which follows the same schedule"""


OptimizerConfig = Annotated[
    AdaptiveOptimizer | SgdOptimizer | AdamwOptimizer | SgdwOptimizer | MuonOptimizer, Discriminator("name")
]


class ModelConfig(StrictModel):
    """The training of one model. The options of its architecture stand beside these fields."""

    architecture: str
    """a file in pipeline/architectures, whose options stand beside this key"""
    split: Name
    """one of `splits`: which training images are held out for validation"""
    recipe: Name
    """one of `recipes`: how the model is trained"""
    optimizer: OptimizerConfig
    """its name and its settings"""
    batch_size: PositiveInt | Literal["full"]
    """images per step; full: all training images at once"""
    epochs: PositiveInt
    """the epoch with the best validation accuracy is saved"""
    seeds: Annotated[list[Seed], Field(min_length=1)]
    """each trains a model; the best by validation accuracy is saved"""

    @model_validator(mode="after")
    def refuse_equal_seeds(self) -> Self:
        """Refuse a seed that counts twice, since it would hide variance."""
        if len(set(self.seeds)) < len(self.seeds):
            raise PydanticCustomError("seeds", "seeds must differ", {"key": "seeds"})
        return self

    @property
    def options(self) -> dict[str, Any]:
        """Keyword arguments of the architecture's ``build``."""
        return self.model_dump(exclude=set(ModelConfig.model_fields))


def architectures() -> list[str]:
    """Return the names of all architectures: the files in ``pipeline/architectures``."""
    return sorted(path.stem for path in ARCHITECTURES.glob("*.py") if path.stem != "__init__")


def model_schema_for(architecture: str) -> type[ModelConfig]:
    """Extend `ModelConfig` by a required field for each keyword-only argument of the architecture's ``build``.

    The signature is parsed, not imported: an architecture imports Keras, which takes seconds. Annotations may use the
    names of ``typing`` and ``pydantic``, such as ``Literal`` and ``PositiveInt``. An option is described by the
    sentences of the docstring that name it.
    """
    tree = ast.parse((ARCHITECTURES / f"{architecture}.py").read_text())
    build = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "build")
    docstring = ast.get_docstring(build) or ""
    summary = docstring.partition("\n\n")[0]
    named = Field(description=ModelConfig.model_fields["architecture"].description)
    fields: dict[str, Any] = {"architecture": (f"Literal[{architecture!r}]", named)}
    fields |= {
        option.arg: (ast.unparse(option.annotation), Field(description=_sentences_on(option.arg, docstring) or summary))
        for option in build.args.kwonlyargs
        if option.annotation
    }
    extended = pydantic.create_model(architecture, __base__=ModelConfig, __doc__=summary, **fields)
    extended.model_rebuild(_types_namespace=vars(pydantic) | vars(typing))
    return extended


def _sentences_on(option: str, docstring: str) -> str:
    """Return the sentences of a docstring that name an option, without its examples.

    >>> _sentences_on("b", "Build `a`. It has `b` and `c`. `b` is new: >>> build(b=1)")
    'It has `b` and `c`. `b` is new:'
    """
    text = " ".join(docstring.partition(">>>")[0].split())
    return " ".join(part for part in re.split(r"(?<=[.:]) (?=[A-Z`])", text) if f"`{option}`" in part)


if TYPE_CHECKING:
    AnyModel = ModelConfig
else:
    AnyModel = Annotated[reduce(or_, map(model_schema_for, architectures())), Discriminator("architecture")]
