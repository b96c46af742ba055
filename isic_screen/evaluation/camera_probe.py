"""How well the features tell the camera: the less, the less a score can come from it.

45 % of the benign originals of ISIC 2020 are 6000 x 4000 pixels and almost no melanoma is. A linear probe on the
network's features, cross-validated by patient, measures how much of that the network knows about a photo.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

CAMERA_SIZE = (6000, 4000)
_FOLDS = 5
_PENALTY = 1e-3  # scikit-learn's C: hundreds of photos and 1,280 features need a strong one


def of_camera(rows: pd.DataFrame) -> pd.Series:
    """Whether each original is of CAMERA_SIZE, either way up; False where `width` and `height` are unknown."""
    wide, high = CAMERA_SIZE
    upright = (rows["width"] == wide) & (rows["height"] == high)
    return upright | ((rows["width"] == high) & (rows["height"] == wide))


def probe_camera(features: NDArray[np.float32], rows: pd.DataFrame, *, seed: int = 0) -> NDArray[np.float64]:
    """Scores (N,) of how much each photo looks to be of CAMERA_SIZE, from probes that saw none of its group.

    Only benign photos train the probe, so that it cannot get there by telling melanomas. nan for rows whose size is
    unknown, and for all rows when the sizes do not occur in enough groups to be cross-validated.
    """
    scores = np.full(len(rows), np.nan)
    usable = (rows["width"].notna() & (rows["target"] == 0)).to_numpy()
    size, groups = of_camera(rows).to_numpy()[usable], rows["group"].to_numpy()[usable]
    enough = min((len(set(groups[size == value])) for value in (False, True)), default=0)
    if enough < 2 * _FOLDS:
        return scores
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=_PENALTY, max_iter=2000))
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed)
    scores[usable] = cross_val_predict(
        probe, features[usable], size, groups=groups, cv=folds, method="decision_function"
    )
    return scores
