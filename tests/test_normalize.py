from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.dataset.normalize import statistics
from pipeline.errors import InputError


def test_minmax_maps_the_smallest_pixel_to_0_and_the_largest_to_1() -> None:
    images = np.array([[[20, 30]], [[120, 70]]], dtype=np.uint8)
    assert statistics(images, "minmax") == (np.float32(20), np.float32(100))


def test_standard_gives_real_images_mean_0_and_variance_1(images: npt.NDArray[np.uint8]) -> None:
    offset, scale = statistics(images, "standard")
    normalized = (images.astype(np.float64) - offset) / scale
    assert normalized.mean() == pytest.approx(0, abs=1e-6)
    assert normalized.var() == pytest.approx(1, abs=1e-6)


def test_standard_agrees_with_numpy_in_float64(images: npt.NDArray[np.uint8]) -> None:
    pixels = images.astype(np.float64)
    assert statistics(images, "standard") == (np.float32(pixels.mean()), np.float32(pixels.std()))


@pytest.mark.parametrize("method", ["minmax", "standard"])
def test_offset_and_scale_are_single_precision(
    images: npt.NDArray[np.uint8], method: Literal["minmax", "standard"]
) -> None:
    assert [type(value) for value in statistics(images, method)] == [np.float32, np.float32]


@pytest.mark.parametrize("method", ["minmax", "standard"])
def test_images_of_one_constant_value_are_refused(method: Literal["minmax", "standard"]) -> None:
    with pytest.raises(InputError, match="found the value 7 in every pixel, expected a range"):
        statistics(np.full((3, 2, 2), 7, dtype=np.uint8), method)
