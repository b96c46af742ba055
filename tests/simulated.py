"""Predictions as a screener would make them, for the tests of the evaluation: simulated, with patients in common."""

import numpy as np
import pandas as pd

from isic_screen.calibration import fit_platt


def simulated_predictions(
    n: int = 240, *, patients: int = 120, share: float = 0.4, source: str = "isic2020", seed: int = 0
) -> pd.DataFrame:
    """Calibrated predictions of `n` images of at most `patients` patients, a `share` of them melanomas."""
    random = np.random.default_rng(seed)
    patient = random.integers(patients, size=n)
    target = (random.random(n) < share).astype(int)
    # Images of one patient have a part of their score in common.
    logit = random.normal(size=patients)[patient] * 0.5 + random.normal(size=n) + 1.5 * target
    return pd.DataFrame(
        {
            "image_id": [f"{source}_{index}" for index in range(n)],
            "source": source,
            "group": [f"{source}:{index}" for index in patient],
            "target": target,
            "logit": logit,
            "probability": fit_platt(logit, target).probability(logit),
        }
    )
