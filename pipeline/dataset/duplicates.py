"""Images that are there twice, exactly or nearly."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.fft import dctn
from sklearn.neighbors import NearestNeighbors

from pipeline.artifacts import existing
from pipeline.errors import InputError

NEAR = 10.0  # grey levels of 255; on Fashion-MNIST, pairs this close look alike, and beyond 12 some no longer do
FREQUENCIES = 6  # per axis: most of a picture's energy lies in the lowest ones
BATCH = 1000  # images that are transformed at a time, to spare memory
COLUMNS = ["first_part", "first", "second_part", "second", "distance"]
PARTS = ["train", "test"]


def duplicates_table(train: npt.NDArray[np.uint8], test: npt.NDArray[np.uint8]) -> pd.DataFrame:
    """Pairs of images at most `NEAR` apart, nearest first; both arguments are (n, height, width, channels).

    The columns are first_part and second_part (train or test), first and second (the image's number in its part, from
    0) and distance: the root of the mean squared difference of the pixels, in grey levels of 255. It is 0 for equal
    images.
    """
    pairs, distances = near_pairs(np.concatenate([train, test]), NEAR)
    in_test = pairs >= len(train)
    part = np.where(in_test, "test", "train")
    number = np.where(in_test, pairs - len(train), pairs)
    values = part[:, 0], number[:, 0], part[:, 1], number[:, 1], distances
    return pd.DataFrame(dict(zip(COLUMNS, values, strict=True)))


def near_pairs(images: npt.NDArray[np.uint8], distance: float) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Find all pairs of images (n, height, width, channels) at most `distance` apart.

    Gives int64 (m, 2) and their distances float64 (m,), sorted by these.

    The discrete cosine transform keeps distances, and leaving frequencies out can only shorten them. So pairs that are
    far apart in the few lowest frequencies are far apart: only the others are compared pixel by pixel.
    """
    pixels = images[0].size
    lowest = [_lowest_frequencies(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
    coordinates = np.concatenate(lowest).reshape(len(images), -1) / np.sqrt(pixels)
    radius = distance + 0.01  # float32's rounding
    neighbours = NearestNeighbors(radius=radius, algorithm="brute").fit(coordinates)
    graph = neighbours.radius_neighbors_graph(mode="connectivity").tocoo()
    once = graph.row < graph.col
    pairs = np.stack([graph.row[once], graph.col[once]], axis=1).astype(np.int64)
    distances = np.fromiter((_distance(images[first], images[second]) for first, second in pairs), float, len(pairs))
    near = np.flatnonzero(distances <= distance)
    order = near[np.lexsort((pairs[near, 1], pairs[near, 0], distances[near]))]
    return pairs[order], distances[order]


def _lowest_frequencies(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    frequencies: npt.NDArray[np.float32] = dctn(images.astype(np.float32), axes=(1, 2), norm="ortho")
    return frequencies[:, :FREQUENCIES, :FREQUENCIES].copy()


def _distance(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> float:
    return float(np.sqrt(np.mean((first.astype(np.int32) - second) ** 2)))


def read_duplicates(path: Path) -> pd.DataFrame:
    """Read a `duplicates_table` back.

    Raises InputError naming the file if it is absent or holds anything else.
    """
    types = {"first_part": str, "first": np.int64, "second_part": str, "second": np.int64, "distance": float}
    try:
        with np.errstate(invalid="ignore"):  # pandas casts a number that int64 has not before it refuses it
            table = pd.read_csv(existing(path, "duplicates"), usecols=COLUMNS, dtype=types)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{path}: expected the columns {', '.join(COLUMNS)}, found: {error}") from error
    strange = ~table[["first_part", "second_part"]].isin(PARTS).all(axis=1)
    if strange.any():
        raise InputError(f"{path}: found a part in line {strange.argmax() + 2} that is neither train nor test")
    negative = ~(table[["first", "second", "distance"]] >= 0).all(axis=1)  # true for NaN as well
    if negative.any():
        raise InputError(f"{path}: found a number in line {negative.argmax() + 2} that is not 0 or more")
    return table


def repeated_in_test(table: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Numbers of the test images that repeat a training image or an earlier test image, sorted, int64 (n,)."""
    return np.unique(table.loc[table["second_part"] == "test", "second"].to_numpy(np.int64))
