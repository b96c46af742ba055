"""Several models as one: the mean of their calibrated logits, which a user gets by giving `--model` more than once.

Members are averaged after calibration, because logits of networks trained apart have no common scale; a mean of
log-odds, and not of probabilities, because one member that is sure of "no" should not be drowned by a mild "maybe".
"""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Self

import numpy as np
import torch
from PIL import Image
from scipy.special import expit, logit
from torch.nn.functional import interpolate

from isic_screen.artifact import Model, ModelFacts, load_model
from isic_screen.errors import ModelFileError
from isic_screen.explain import FloatMap
from isic_screen.screener import Screener, Screening
from isic_screen.seen_photos import SeenPhotos

_SMALLEST = 1e-12  # a threshold of 0 or 1 has no finite logit, and 0 with 1 would have no mean


@dataclass(frozen=True)
class EnsembleFacts:
    """What follows from the members' facts about all of them together; fields as in `ModelFacts`.

    `default_threshold` is the mean of the members' on the logit scale. It is where they would refer on average, but
    what it catches in the ensemble was never counted: `operating_points` names it for that reason "members' mean", and
    no sensitivity. `training` holds the members' `table_sha256` alone.
    """

    name: str
    version: str
    backbone: str
    prevalence: float
    default_threshold: float
    operating_points: dict[str, float]
    training: dict[str, Any]


class Ensemble:
    """Models that screen together; `facts`, `sha256` and `seen` as a `Model` has them, `screen` as a `Screener`.

    The probability is that of the mean of the members' calibrated logits. It is not calibrated anew, and the
    ensemble's operating point is not measured before `python -m isic_screen evaluate` is run on it. Takes the models
    and the names of their files, in any order. Raises ModelFileError when the files state different prevalences, and
    ValueError without a model.
    """

    def __init__(self, models: Sequence[Model], files: Sequence[str], device: str | torch.device = "cpu") -> None:
        if not models or len(models) != len(files):
            raise ValueError(f"an ensemble needs a model, and a file name for each: {len(models)}, {len(files)}")
        _refuse_different_prevalences([model.facts for model in models], files)
        self.files = tuple(files)
        self.facts = _facts([model.facts for model in models], files)
        self.sha256 = " + ".join(model.sha256 for model in models)
        self.seen = _seen_by_any(models)
        self._members = [Screener(model, device) for model in models]

    @classmethod
    def from_files(cls, paths: Sequence[str | os.PathLike[str]], device: str | torch.device = "cpu") -> Self:
        """Load the members. Raises ModelFileError when one cannot be loaded or the files do not go together."""
        return cls([load_model(path) for path in paths], [os.fspath(path) for path in paths], device)

    @property
    def description(self) -> str:
        """Sentences on where score and threshold come from, for people."""
        return (
            f"An ensemble of {len(self.files)} models ({', '.join(self.files)}): the score is the mean of their "
            "calibrated logits, not calibrated anew. Its default threshold, "
            f"{self.facts.default_threshold:.4g}, is the mean of theirs on the logit scale."
        )

    def screen(self, photo: Image.Image) -> Screening:
        """Screen one RGB photo, as `open_photo` returns it."""
        return self.screen_many([photo])[0]

    def screen_many(self, photos: Sequence[Image.Image]) -> list[Screening]:
        """Screen photos in one forward pass a member; memory grows with their number.

        `logit` is the mean of the members' calibrated logits, so that `probability` is its sigmoid. `heat_map` is the
        mean of the members' maps, each in 0..1, enlarged to the largest of them; where members disagree it stays pale.
        `novelty` and `quality` are those of the member that the photo is most unlike the training photos of.
        """
        answers = zip(*(member.screen_many(photos) for member in self._members), strict=True)
        return [self._together(screenings) for screenings in answers]

    def _together(self, screenings: Sequence[Screening]) -> Screening:
        # Not logit(probability), which is infinite where a probability rounds to 1; fsum, as order must not matter.
        calibrated = [
            member.facts.calibration.slope * screening.logit + member.facts.calibration.offset
            for member, screening in zip(self._members, screenings, strict=True)
        ]
        mean = math.fsum(calibrated) / len(calibrated)
        # The photo measures alike for all; what a member has never seen makes it unfit, and then unfit for the mean.
        strangest = max(screenings, key=lambda screening: -1.0 if screening.novelty is None else screening.novelty)
        return Screening(
            probability=float(expit(mean)),
            logit=mean,
            quality=strangest.quality,
            novelty=strangest.novelty,
            heat_map=_mean_heat_map([screening.heat_map for screening in screenings]),
        )


def _mean_heat_map(heat_maps: Sequence[FloatMap]) -> FloatMap:
    """The mean (h, w), in 0..1, of heat maps in 0..1 that may differ in size; as large as the largest side of each."""
    high, wide = (max(heat_map.shape[axis] for heat_map in heat_maps) for axis in (0, 1))
    # Bilinear: bicubic would overshoot 0..1.
    enlarged = [
        interpolate(torch.from_numpy(heat_map)[None, None], size=(high, wide), mode="bilinear")[0, 0].numpy()
        for heat_map in heat_maps
    ]
    mean: FloatMap = np.stack(enlarged).mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean


def _refuse_different_prevalences(members: Sequence[ModelFacts], files: Sequence[str]) -> None:
    for facts, file in zip(members, files, strict=True):
        if facts.prevalence != members[0].prevalence:
            raise ModelFileError(
                f"{files[0]} states a prevalence of {100 * members[0].prevalence:g} % and {file} one of "
                f"{100 * facts.prevalence:g} %: their probabilities have no common scale. Give models of one."
            )


def _seen_by_any(models: Sequence[Model]) -> SeenPhotos | None:
    """None when one of them does not say."""
    known = [model.seen for model in models if model.seen is not None]
    return reduce(SeenPhotos.with_those_of, known) if len(known) == len(models) else None


def _facts(members: Sequence[ModelFacts], files: Sequence[str]) -> EnsembleFacts:
    thresholds = np.clip([facts.default_threshold for facts in members], _SMALLEST, 1 - _SMALLEST)
    default_threshold = float(expit(math.fsum(logit(thresholds)) / len(members)))
    tables = {
        f"{file}: {table}": sha256
        for facts, file in zip(members, files, strict=True)
        for table, sha256 in facts.training.get("table_sha256", {}).items()
    }
    return EnsembleFacts(
        name="Ensemble",
        version=f"({', '.join(f'{facts.name} {facts.version}' for facts in members)})",
        backbone=" + ".join(facts.backbone for facts in members),
        prevalence=members[0].prevalence,
        default_threshold=default_threshold,
        operating_points={"members' mean": default_threshold},
        training={"table_sha256": tables},
    )
