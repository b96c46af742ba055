"""Screener: a photo goes in, a Screening comes out. Everything that scores a photo goes through here."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from isic_screen.artifact import Model, ModelFacts, load_model
from isic_screen.engine import engine_of
from isic_screen.errors import ModelFileError
from isic_screen.explain import heat_map_of
from isic_screen.novelty import REFUSED_FROM
from isic_screen.quality import Quality, assess, unlike_training
from isic_screen.turns import VIEWS, turned
from isic_screen.views import averaged


@dataclass(frozen=True)
class Screening:
    """What the model says about one photo.

    `probability` is calibrated, at the prevalence stated in the model file; `logit` is the network's own. `heat_map`
    (h, w), in 0..1, is the Grad-CAM at the network's resolution, all zero when all evidence speaks against melanoma.
    `novelty` is how unlike the training photos the photo is, as a share of the cut-off in the model file: from 1 on it
    is doubtful, from REFUSED_FROM on not fit to be screened; None when the model file does not say.

    Two are equal when all but their heat maps are, which come from the same pass as the logit.
    """

    probability: float
    logit: float
    quality: Quality
    heat_map: NDArray[np.float32] = field(compare=False)
    novelty: float | None = None

    @property
    def heat_map_empty(self) -> bool:
        """Whether no place spoke for melanoma more than against it."""
        return not self.heat_map.any()

    def flagged(self, threshold: float) -> bool:
        """Whether to refer at this threshold, a probability on the same scale."""
        return self.probability >= threshold


class Screener:
    """A loaded model that screens photos; safe to share between threads.

    Without a `model` it loads the bundled one (ModelFileError when that is missing or damaged). It works on a copy of
    the model's network, made for speed (see engine.py): what is done to `model.network` later does not reach it.
    """

    def __init__(self, model: Model | None = None, device: str | torch.device = "cpu") -> None:
        self.model = model or load_model()
        self.device = torch.device(device)
        self._one_view = engine_of(self.model.network, self.device)
        self._engine = averaged(self._one_view, self.model.network.input_spec.views)

    @property
    def facts(self) -> ModelFacts:
        """What the model file says about the model."""
        return self.model.facts

    def screen(self, photo: Image.Image) -> Screening:
        """Screen one RGB photo, as `open_photo` returns it; ValueError for one of another mode."""
        return self.screen_many([photo])[0]

    def screen_many(self, photos: Sequence[Image.Image]) -> list[Screening]:
        """Screen photos together; memory grows with their number."""
        if not photos:
            return []
        spec = self.model.network.input_spec
        images = torch.stack([spec(photo) for photo in photos])
        with torch.inference_mode():
            seen = self._engine(images)
            known = self.model.novelty
            distances = [None] * len(photos) if known is None else known.share_of_cut_off(seen).tolist()
        network_logits, maps = seen.logits.double().cpu().numpy(), seen.evidence.float().cpu().numpy()
        if not np.isfinite(network_logits).all():  # compared with a threshold, a nan would mean "not referred"
            raise ModelFileError("The model gives no number for this photo. Take another copy of the model file.")
        probabilities = self.facts.calibration.probability(network_logits)
        return [
            Screening(float(probability), float(logit), _quality(photo, distance), heat_map_of(evidence_map), distance)
            for photo, probability, logit, evidence_map, distance in zip(
                photos, probabilities, network_logits, maps, distances, strict=True
            )
        ]

    def spread(self, photo: Image.Image) -> tuple[float, float]:
        """The lowest and highest probability among the photo's eight flips and quarter turns.

        A dermatoscope has no up or down, so all eight are the same lesion: where they disagree across the threshold,
        the answer hangs on chance. Each is looked at by itself, although a model's answer may be the mean of several.
        Eight forward passes, so only on demand. It is no confidence interval.
        """
        image = self.model.network.input_spec(photo)
        with torch.inference_mode():
            logits = self._one_view(torch.stack([turned(image, view) for view in range(VIEWS)])).logits
        probabilities = self.facts.calibration.probability(logits.double().cpu().numpy())
        return float(probabilities.min()), float(probabilities.max())


def _quality(photo: Image.Image, distance: float | None) -> Quality:
    quality = assess(photo)
    if distance is None or distance < 1:
        return quality
    return unlike_training(quality, refused=distance >= REFUSED_FROM)
