"""Write scikit-learn's digits in the three forms that the pipeline reads, as an example: ``python -m tools.digits``.

They are 1,797 images of 8 × 8 pixels and 17 greys, written by 43 people; the last 360 are test images. All forms have
the images in one order, class by class.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.datasets import load_digits

FOLDER = Path("data/local/digits")
TESTED = 360

Pixels = npt.NDArray[np.uint8]


def main() -> None:
    """Write ``data/local/digits``: four IDX files, two CSV tables, and a PNG file for each image in two folders."""
    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)
    labels = digits.target.astype(np.uint8)
    everything = np.arange(len(labels))
    for split, numbers in {"train": everything[:-TESTED], "test": everything[-TESTED:]}.items():
        numbers = numbers[np.argsort(labels[numbers], kind="stable")]
        write_idx(FOLDER / f"{split}-images", images[numbers])
        write_idx(FOLDER / f"{split}-labels", labels[numbers])
        table = np.column_stack([labels[numbers], images[numbers].reshape(len(numbers), -1)])
        np.savetxt(FOLDER / f"{split}.csv", table, fmt="%d", delimiter=",")
        for number in numbers:
            file = FOLDER / split / str(labels[number]) / f"{number:04}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(images[number]).save(file)


def write_idx(path: Path, array: Pixels) -> None:
    """Write unsigned bytes as IDX: zero, zero, 8 for the type, the number of dimensions, their sizes, the values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sizes = np.array(array.shape, ">u4").tobytes()
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes())


if __name__ == "__main__":
    main()
