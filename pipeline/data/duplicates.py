"""Find images that are there twice, exactly or nearly."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.fft import dctn
from sklearn.neighbors import NearestNeighbors

from pipeline.io import InputError, require_output

NEAR = 10.0  # grey levels of 255; on Fashion-MNIST, pairs this close look alike, and beyond 12 some no longer do
FREQUENCIES = 6  # per axis: most of a picture's energy lies in the lowest ones
BATCH = 1000  # images that are transformed at a time, to spare memory
COLUMNS = ["split_a", "index_a", "split_b", "index_b", "rmse"]


def duplicates_table(train: npt.NDArray[np.uint8], test: npt.NDArray[np.uint8]) -> pd.DataFrame:
    """Return the pairs of images at most `NEAR` apart, nearest first. Both arguments are (n, height, width, channels).

    The columns are split_a and split_b (train or test), index_a and index_b (the image's index in its split), and
    rmse: the root of the mean squared difference of the pixels, in grey levels of 255. It is 0 for equal images.
    """
    pairs, distances = near_pairs(np.concatenate([train, test]), NEAR)
    in_test = pairs >= len(train)
    split = np.where(in_test, "test", "train")
    index = np.where(in_test, pairs - len(train), pairs)
    values = split[:, 0], index[:, 0], split[:, 1], index[:, 1], distances
    return pd.DataFrame(dict(zip(COLUMNS, values, strict=True)))


def near_pairs(images: npt.NDArray[np.uint8], distance: float) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Find all pairs of images (n, height, width, channels) at most `distance` apart.

    Returns int64 (m, 2) and their distances float64 (m,), sorted by distance.

    The discrete cosine transform keeps distances, and leaving frequencies out can only shorten them. So pairs that are
    far apart in the few lowest frequencies are far apart in all. Only the others are compared pixel by pixel.
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


def load_duplicates(path: Path) -> pd.DataFrame:
    """Load a table that `duplicates_table` made.

    Raises InputError naming the file if it is absent or holds anything else.
    """
    types = {"split_a": str, "index_a": np.int64, "split_b": str, "index_b": np.int64, "rmse": float}
    require_output(path, "duplicates")
    try:
        with np.errstate(invalid="ignore"):  # pandas casts a number that int64 has not before it refuses it
            table = pd.read_csv(path, usecols=COLUMNS, dtype=types)
    except ValueError as error:
        raise InputError(f"{path}: expected the columns {', '.join(COLUMNS)}, found: {error}") from error
    strange = ~table[["split_a", "split_b"]].isin(["train", "test"]).all(axis=1)
    if strange.any():
        raise InputError(f"{path}: found a split in line {strange.argmax() + 2} that is neither train nor test")
    negative = ~(table[["index_a", "index_b", "rmse"]] >= 0).all(axis=1)  # true for NaN as well
    if negative.any():
        raise InputError(f"{path}: found a number in line {negative.argmax() + 2} that is not 0 or more")
    return table


def repeated_in_test(table: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return the sorted indices of test images that repeat a training image or an earlier test image, int64 (n,)."""
    return np.unique(table.loc[table["split_b"] == "test", "index_b"].to_numpy(np.int64))
