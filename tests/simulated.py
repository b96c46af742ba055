"""Predictions as a screener would make them, for the tests of the evaluation: simulated, with patients in common."""

from typing import Any

import numpy as np
import pandas as pd

from isic_screen.calibration import fit_platt

SHIPPED = {"0.90": 0.012, "0.95": 0.007, "0.98": 0.004}
"""Thresholds that a model might come with."""


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


def every_value(node: Any) -> list[dict[str, Any]]:
    """All dictionaries of metrics.json that give a value with an interval."""
    if isinstance(node, dict):
        here = [node] if {"value", "low", "high"} <= set(node) else []
        return here + [value for child in node.values() for value in every_value(child)]
    return []
