"""A recipe with everything on, which no model of ``params.yaml`` has."""

from pathlib import Path

from pipeline.config import LrSchedule, load_config

PLAIN = load_config(Path(__file__).parents[2] / "params.yaml").recipes["plain"]
EVERYTHING = PLAIN.model_copy(
    update={
        "flip": "alternating",
        "shift": 2,
        "erase": 6,
        "mixup": 0.4,
        "label_smoothing": 0.1,
        "schedule": LrSchedule(warm_up=0.3, decay="cosine"),
        "averaging": 0.8,
        "test_time_mirror": True,
        "test_time_shift": 1,
        "cpu_precision": "bfloat16",
    }
)
AT_RANDOM = EVERYTHING.model_copy(update={"flip": "random", "averaging": 0.5})
