"""A trained model asked batch by batch."""

from collections.abc import Iterable, Iterator
from itertools import islice

import keras
import numpy as np
import numpy.typing as npt

from pipeline.errors import InputError
from pipeline.prediction.examples import Example
from pipeline.training.predict import predict

BATCH_SIZE = 200  # large enough to be quick, small enough for a progress bar that moves while photographs are read

Answer = tuple[Example, npt.NDArray[np.float32]]


def predict_batches(model: keras.Model, examples: Iterable[Example]) -> Iterator[list[Answer]]:
    """Each example with its probabilities, float32 (classes,), a batch at a time; no more than that is held.

    Raises InputError for an image of another shape than the model takes.
    """
    shape = model.input_shape[1:]
    waiting = iter(examples)
    while batch := list(islice(waiting, BATCH_SIZE)):
        for example in batch:
            if example.pixels.shape != shape:
                found, expected = (" × ".join(map(str, sizes)) for sizes in (example.pixels.shape, shape))
                raise InputError(f"{example.name}: found {found} values, expected {expected} as the model takes")
        images = np.stack([example.pixels for example in batch])
        yield list(zip(batch, predict(model, images), strict=True))
