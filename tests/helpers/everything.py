"""A recipe with everything on, which no model of ``params.yaml`` has."""

from pathlib import Path

from pipeline.config import load_config
from pipeline.config_models import LrSchedule

PLAIN = load_config(Path(__file__).parents[2] / "params.yaml").recipes["plain"]
EVERYTHING = PLAIN.model_copy(
    update={
        "flip": "alternating",
        "translate": 2,
        "cutout": 6,
        "mixup": 0.4,
        "label_smoothing": 0.1,
        "lr_schedule": LrSchedule(warmup=0.3, decay="cosine"),
        "ema": 0.8,
        "tta_flip": True,
        "tta_translate": 1,
        "cpu_precision": "bfloat16",
    }
)
AT_RANDOM = EVERYTHING.model_copy(update={"flip": "random", "ema": 0.5})
