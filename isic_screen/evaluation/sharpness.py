"""How sharp the photos behind a table of predictions are, all measured at one size."""

import pandas as pd
from PIL import Image

from isic_screen.data.images import read_photos
from isic_screen.errors import DataError, PhotoError
from isic_screen.quality import WORKING_SIDE, assess


def sharpness(photo: Image.Image) -> float:
    """Sharpness of an upright RGB photo as in `Quality.sharpness`, in grey levels of 255, about 0 to 20.

    The whole photo is first resized to a square of WORKING_SIDE, which is also how the network sees it. So a copy that
    somebody squashed to a square measures like its original, and one of 6000 pixels like one of 600.
    """
    # Without reducing_gap, which averages by whole numbers first and so treats some sizes otherwise than others.
    return assess(photo.resize((WORKING_SIDE, WORKING_SIDE), Image.Resampling.BILINEAR)).sharpness


def with_sharpness(predictions: pd.DataFrame, workers: int) -> pd.DataFrame:
    """A copy of `predictions` with the column `sharpness` of the photos in its column `path`; NaN for unreadable ones.

    `workers` threads decode. Raises DataError when there is no column `path`.
    """
    if "path" not in predictions:
        raise DataError("The predictions have no column path, so the sharpness of their photos cannot be measured.")
    measured = read_photos(predictions["path"].tolist(), sharpness, workers)
    return predictions.assign(
        sharpness=[float("nan") if isinstance(value, PhotoError) else value for _, value in measured]
    )
