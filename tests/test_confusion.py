from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.artifacts import write_csv
from pipeline.errors import InputError
from pipeline.evaluation.confusion import confusion_counts, confusion_table, per_class_table, read_confusion

NAMES = ["Shirt", "Coat", "Bag", "Dress"]
ACTUAL = np.array([0, 0, 1, 1, 2])
PREDICTED = np.array([0, 1, 1, 1, 0])


def test_actual_classes_are_counted_in_rows_and_every_class_has_one() -> None:
    assert confusion_counts(ACTUAL, PREDICTED, 4).tolist() == [[1, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]


def test_the_confusion_table_has_a_row_an_image_in_order() -> None:
    table = confusion_table(ACTUAL, PREDICTED, NAMES)
    assert table.to_dict("list") == {
        "actual": ["Shirt", "Shirt", "Coat", "Coat", "Bag"],
        "predicted": ["Shirt", "Coat", "Coat", "Coat", "Shirt"],
    }


def test_figures_per_class_equal_those_counted_by_hand() -> None:
    expected = pd.DataFrame(
        {
            "class": NAMES,
            "precision": [1 / 2, 2 / 3, 0, 0],
            "recall": [1 / 2, 1, 0, 0],
            "f1": [1 / 2, 4 / 5, 0, 0],
            "support": [2, 2, 1, 0],
        }
    )
    pd.testing.assert_frame_equal(per_class_table(ACTUAL, PREDICTED, NAMES), expected, check_dtype=False)


@pytest.mark.parametrize(
    "names", [NAMES, ["0", "1", "2", "3"], ["NA", "null", "", "None"], ['a, "b"', "<b>", " c", "T-shirt/top"]]
)
def test_a_written_confusion_reads_back_whatever_the_names(tmp_path: Path, names: list[str]) -> None:
    write_csv(tmp_path / "confusion.csv", confusion_table(ACTUAL, PREDICTED, names))
    actual, predicted = read_confusion(tmp_path / "confusion.csv", names)
    assert actual.tolist() == ACTUAL.tolist()
    assert predicted.tolist() == PREDICTED.tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a table"),
        ("actual,predicted\n", "found the columns actual, predicted and 0 rows"),
        ("actual,guess\nBag,Bag\n", "found the columns actual, guess and 1 rows"),
        ("actual,predicted\nBag,Bag\nBag,Hat\n", "found 'Hat' in line 3, expected a class: Shirt, Coat, Bag, Dress"),
        ("actual,predicted\nBag,Bag\nBag,Bag,Bag\n", "expected a table"),
    ],
)
def test_a_file_that_is_no_confusion_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "confusion.csv").write_text(text)
    with pytest.raises(InputError, match=rf"confusion\.csv: {message}"):
        read_confusion(tmp_path / "confusion.csv", NAMES)
