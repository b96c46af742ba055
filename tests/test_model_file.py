"""What the end of a run counts for the model file."""

import numpy as np
import pandas as pd

from isic_screen.calibration import Calibration
from isic_screen.operating_point import ThresholdTable
from isic_screen.training.model_file import _other_cameras

CALIBRATION = Calibration(1.0, 0.0, 0.5)


def _counted(of_camera: int, melanomas: int, others: int) -> pd.DataFrame:
    """Photos of the camera that nearly gives the class away, either way up, and of others, some of unknown size."""
    count = of_camera + melanomas + others
    width, height = np.full(count, 1024.0), np.full(count, 768.0)
    width[:of_camera], height[:of_camera] = 6000, 4000
    width[: of_camera // 2], height[: of_camera // 2] = 4000, 6000
    width[-1] = height[-1] = np.nan
    target = np.repeat([0, 1, 0], [of_camera, melanomas, others])
    logit = np.random.default_rng(0).normal(size=count)
    return pd.DataFrame({"target": target, "logit": logit, "width": width, "height": height})


def test_the_counts_without_the_camera_are_of_all_other_photos():
    rows = _counted(7, 12, 10)
    expected = ThresholdTable.from_predictions(
        CALIBRATION.probability(rows["logit"][7:]), rows["target"][7:], CALIBRATION.prevalence
    )
    assert (expected.positives, expected.negatives) == (12, 10)
    assert _other_cameras(rows, CALIBRATION) == expected


def test_nothing_is_counted_without_the_camera_where_it_took_none_or_too_few_are_left():
    assert _other_cameras(_counted(0, 12, 10), CALIBRATION) is None
    assert _other_cameras(_counted(7, 9, 10), CALIBRATION) is None
    assert _other_cameras(_counted(7, 12, 9), CALIBRATION) is None
