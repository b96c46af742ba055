"""How much of a difference between skin tones is that of a camera.

    python -m benchmarks.without_camera --data DIR …

Of the benign photos of ISIC 2020 45 % are of 6000 x 4000 pixels, and almost no melanoma is: groups of people who were
photographed with that camera more often seem to be judged better. So the shipped model's held-out scores
(assets/held_out/shipped.csv.gz) of the source that the thresholds come from are counted by skin tone twice at the
default one, with and without that camera, each by a calibration that did not see it. (The same of all people is in the
model file.) Writes benchmarks/results/without_camera.json.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from benchmarks.held_out import rows_given
from benchmarks.measure import run, write_result
from isic_screen.artifact import ModelFacts, load_model
from isic_screen.calibration import cross_fitted
from isic_screen.evaluation.camera_probe import of_camera
from isic_screen.evaluation.subgroups import MIN_OF_CLASS, subgroups
from isic_screen.operating_point import ThresholdTable


def main() -> None:
    rows = rows_given(__doc__)
    write_result("without_camera", compared(rows, load_model().facts))


def compared(rows: pd.DataFrame, facts: ModelFacts) -> dict[str, Any]:
    """The figures of `rows` (with `logit`, `fold`, `width`, `height`, `skin_tone`) that are of the reference source."""
    rows = rows[rows["source"].isin(facts.training["calibrated_on"])].reset_index(drop=True)
    rows["probability"] = cross_fitted(rows["logit"], rows["target"], rows["fold"], prevalence=facts.prevalence)
    of_size = of_camera(rows)
    tones = subgroups(rows).get("skin tone", {})
    return {
        "skin_tones": {
            tone: {
                "all": _counted(rows[mask], facts),
                "without": _counted(rows[mask & ~of_size], facts),
            }
            for tone, mask in tones.items()
            if (rows.loc[mask & ~of_size, "target"] == 0).sum() >= MIN_OF_CLASS
        },
    }


def _counted(rows: pd.DataFrame, facts: ModelFacts) -> Mapping[str, Any]:
    """Sensitivity and specificity at the default threshold, each with its count, total and Wilson's interval."""
    table = ThresholdTable.from_predictions(rows["probability"], rows["target"], facts.prevalence)
    point = table.at(facts.default_threshold)
    return {"sensitivity": asdict(point.sensitivity), "specificity": asdict(point.specificity)}


if __name__ == "__main__":
    run(main)
