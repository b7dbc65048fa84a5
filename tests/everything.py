"""A recipe with everything on, which no model of ``params.yaml`` has."""

from pathlib import Path

from pipeline.params.reading import read_params
from pipeline.params.recipes import WarmUpAndDecay

PLAIN = read_params(Path(__file__).parents[1] / "params.yaml").recipes["plain"]
EVERYTHING = PLAIN.model_copy(
    update={
        "flip": "alternating",
        "shift": 2,
        "erase": 6,
        "mixup": 0.4,
        "label_smoothing": 0.1,
        "schedule": WarmUpAndDecay(warm_up=0.3, decay="cosine"),
        "averaging": 0.8,
        "test_time_mirror": True,
        "test_time_shift": 1,
        "cpu_precision": "bfloat16",
    }
)
AT_RANDOM = EVERYTHING.model_copy(update={"flip": "random", "averaging": 0.5})
