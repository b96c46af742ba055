"""What the end of a run counts for the model file."""

import numpy as np
import pandas as pd

from isic_screen.calibration import STATED_PREVALENCE
from isic_screen.operating_point import ThresholdTable
from isic_screen.training.model_file import _other_cameras


def _counted(of_camera: int, melanomas: int, others: int) -> pd.DataFrame:
    """Photos of the camera that nearly gives the class away, either way up, and of others, some of unknown size."""
    count = of_camera + melanomas + others
    width, height = np.full(count, 1024.0), np.full(count, 768.0)
    width[:of_camera], height[:of_camera] = 6000, 4000
    width[: of_camera // 2], height[: of_camera // 2] = 4000, 6000
    width[-1] = height[-1] = np.nan
    target = np.repeat([0, 1, 0], [of_camera, melanomas, others])
    probability = np.random.default_rng(0).uniform(size=count)
    return pd.DataFrame({"target": target, "probability": probability, "width": width, "height": height})


def _left(rows: pd.DataFrame) -> ThresholdTable | None:
    return _other_cameras(rows, rows["probability"], STATED_PREVALENCE)


def test_the_counts_without_the_camera_are_of_all_other_photos():
    rows = _counted(7, 12, 10)
    expected = ThresholdTable.from_predictions(rows["probability"][7:], rows["target"][7:], STATED_PREVALENCE)
    assert (expected.positives, expected.negatives) == (12, 10)
    assert _left(rows) == expected


def test_nothing_is_counted_without_the_camera_where_it_took_none_or_too_few_are_left():
    assert _left(_counted(0, 12, 10)) is None
    assert _left(_counted(7, 9, 10)) is None
    assert _left(_counted(7, 12, 9)) is None
