"""The model file: safetensors with everything a screener needs to know about the model written into it.

One file holds the tensors (half precision, or large weights in fewer bits) and, as JSON in the safetensors header, the
facts: how to build the network, how to calibrate its logit, what each threshold means, what it was trained on, and how
good it was. Nothing in it is executed, and a file that does not fit is refused with the reason.
"""

import copy
import hashlib
import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open

from isic_screen.backbone import known_small, told
from isic_screen.calibration import Calibration
from isic_screen.compression import HALF, compressed, in_full
from isic_screen.errors import ModelFileError, WeightsError
from isic_screen.foreign_models import advice, describe_model
from isic_screen.network import InputSpec, ScreenNet, build_network
from isic_screen.novelty import Novelty
from isic_screen.operating_point import OperatingPoint, ThresholdTable, aimed_at
from isic_screen.seen_photos import SeenPhotos
from isic_screen.whole_file import save_tensors

FORMAT_VERSION = 9
# 1 had no novelty, 2 one of the pooled features, 3 neither committees nor eight bits, 4 no views, 5 neither six bits
# nor members that are shown a photo another way round, 6 no mean over three views, 7 no marks of the photos seen, 8 no
# counts without the camera that nearly gives the class away
_READABLE_VERSIONS = range(1, FORMAT_VERSION + 1)
_NOVELTY = "novelty."  # prefix of its tensors; those of the network are "backbone." and "head."
_SEEN = "seen_photos"  # the name of its tensor
BUNDLED_MODEL = Path(__file__).resolve().parents[1] / "assets" / "model.safetensors"
# The only key of the header: safetensors writes several in no fixed order, and the same model would be another file.
_FACTS_KEY = "isic_screen"
_MOST_HIDDEN = 65_536  # as recipes have it; a file that asks for more would fill the memory before it is refused


@dataclass(frozen=True)
class ModelFacts:
    """What a model says about itself. Everything shown about a model is read from here.

    `default_threshold` and the values of `operating_points` (keyed by the sensitivity aimed at, such as "0.95") are
    calibrated probabilities at `calibration.prevalence`. `threshold_table` counts held-out patients, each by a
    calibration that did not see them, as `metrics` does: a threshold may have caught a little less there than it aims
    at. (Files before version 0.12 counted by `calibration` itself.) `training` and `metrics` are plain JSON: the first
    says on what data and how (sources with counts and hashes, recipe, command, date), the second is the evaluation's
    metrics.json on patients that the models behind it never saw. `other_cameras` holds the counts of `threshold_table`
    without the originals of one camera size that is nearly all benign (see evaluation/camera_probe.py): in a clinic the
    camera tells no diagnosis. None where no such photo was counted, or too few others.
    """

    name: str
    version: str
    backbone: str
    hidden: int
    dropout: float
    input: InputSpec
    calibration: Calibration
    threshold_table: ThresholdTable
    operating_points: dict[str, float]
    default_threshold: float
    training: dict[str, Any]
    metrics: dict[str, Any]
    intended_use: str
    limits: tuple[str, ...]
    licence: str
    citation: str
    other_cameras: ThresholdTable | None = None

    @property
    def prevalence(self) -> float:
        """Share of melanomas, 0 to 1, at which every probability and threshold of the file is stated."""
        return self.calibration.prevalence

    def operating_point(self, threshold: float) -> OperatingPoint:
        """What a threshold, 0 to 1 on the file's scale, means."""
        others = None if self.other_cameras is None else self.other_cameras.at(threshold)
        return replace(self.threshold_table.at(threshold), other_cameras=others)

    def threshold_for_sensitivity(self, sensitivity: float) -> float:
        """The threshold that stands for a sensitivity, 0 to 1: never higher for more of it.

        That of `operating_points` where one aims at it. Others by `threshold_table`, kept in order with those.
        """
        named = [(aim, threshold) for name, threshold in self.operating_points.items() if (aim := aimed_at(name))]
        least = max((threshold for aim, threshold in named if aim >= sensitivity), default=0.0)
        most = min((threshold for aim, threshold in named if aim <= sensitivity), default=1.0)
        return max(least, min(most, self.threshold_table.threshold_for_sensitivity(sensitivity)))

    def to_json(self) -> str:
        """Strict JSON, so that a nan can never travel in a model file."""
        return json.dumps({"format_version": FORMAT_VERSION, **asdict(self)}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Raises ValueError, TypeError or KeyError when something is missing, unknown or out of range."""
        try:
            given = json.loads(text)
        except RecursionError:
            raise ValueError("brackets in brackets without end") from None
        version = given.pop("format_version")
        if version not in _READABLE_VERSIONS:
            raise ValueError(
                f"format version {version}, where this version of isic_screen reads up to {FORMAT_VERSION}: update "
                "isic_screen, or train the model again"
            )
        if version <= 8:
            given.setdefault("other_cameras", None)
        known = {field.name for field in fields(cls)}
        if set(given) != known:
            raise ValueError(f"facts missing or unknown: {', '.join(sorted(set(given) ^ known))}")
        nested = {
            "input": InputSpec(**_with_tuples(given["input"])),
            "calibration": Calibration(**given["calibration"]),
            "threshold_table": ThresholdTable(**_with_tuples(given["threshold_table"])),
            "other_cameras": (others := given["other_cameras"]) and ThresholdTable(**_with_tuples(others)),
            "limits": tuple(given["limits"]),
        }
        found = cls(**{**given, **nested})
        found._check()
        return found

    def _check(self) -> None:
        """Raises ValueError for a value that is not what its field says: it would fail, or mislead, much later."""
        for name in ("name", "version", "backbone", "intended_use", "licence", "citation"):
            if not isinstance(getattr(self, name), str):
                raise ValueError(f"{name} must be a text")
        if not all(isinstance(limit, str) for limit in self.limits):
            raise ValueError("limits must be texts")
        for name in ("training", "metrics", "operating_points"):
            if not isinstance(getattr(self, name), dict):
                raise ValueError(f"{name} must be a table")
        if type(self.hidden) is not int or not 1 <= self.hidden <= _MOST_HIDDEN:
            raise ValueError(f"hidden must lie in 1..{_MOST_HIDDEN}")
        if not _are_shares([self.dropout, self.default_threshold, *self.operating_points.values()]):
            raise ValueError(_NO_SHARES)
        _check_table(self.threshold_table, "the threshold table")
        if self.other_cameras is not None:
            _check_table(self.other_cameras, "the threshold table of other cameras")
        numbers = [*self.input.mean, *self.input.std, self.calibration.slope, self.calibration.intercept]
        if not all(type(number) in (int, float) and math.isfinite(number) for number in numbers):
            raise ValueError("mean, std and the calibration must be numbers")


_NO_SHARES = "dropout, prevalence and thresholds must lie in 0..1"


def _are_shares(numbers: Sequence[float]) -> bool:
    return all(type(number) in (int, float) and 0 <= number <= 1 for number in numbers)  # a nan fails this as well


def _check_table(table: ThresholdTable, name: str) -> None:
    """Raises ValueError for a table by which nobody could be told what a threshold does."""
    if not _are_shares([table.prevalence, *table.thresholds]):
        raise ValueError(_NO_SHARES)
    counts = [table.positives, table.negatives, *table.true_positives, *table.false_positives]
    if not all(type(count) is int and count >= 0 for count in counts):
        raise ValueError(f"the counts of {name} must be whole numbers")
    lacking = [
        kind
        for kind, there in (
            ("no threshold", table.thresholds),
            ("no melanoma", table.positives),
            ("no image without melanoma", table.negatives),
        )
        if not there
    ]
    if lacking:
        raise ValueError(f"{name} holds {' and '.join(lacking)}; evaluate on images of both kinds")
    if not 0 < table.prevalence < 1:
        raise ValueError(f"the prevalence of {name} must lie between 0 and 1")


@dataclass(frozen=True)
class Model:
    """A network in eval mode with its facts and the SHA-256 of the file it came from.

    `novelty` tells how unlike the training photos a photo is, and `seen` which these were; None when the file does not
    say.
    """

    network: ScreenNet
    facts: ModelFacts
    sha256: str
    novelty: Novelty | None = None
    seen: SeenPhotos | None = None


def save_model(
    path: Path,
    network: ScreenNet,
    facts: ModelFacts,
    novelty: Novelty | None = None,
    seen: SeenPhotos | None = None,
    *,
    bits: int = HALF,
) -> None:
    """Write the model file whole or not at all; what `bits` means is said in compression.py."""
    tensors = compressed(network.state_dict(), bits)
    if novelty is not None:
        tensors |= {_NOVELTY + name: tensor.contiguous().cpu() for name, tensor in novelty.tensors().items()}
    if seen is not None:
        tensors[_SEEN] = seen.marks
    path.parent.mkdir(parents=True, exist_ok=True)
    save_tensors(path, tensors, {_FACTS_KEY: facts.to_json()})


def as_stored(network: ScreenNet, *, bits: int = HALF) -> ScreenNet:
    """A copy of the network as it comes back from a model file: with the weights that the file can hold."""
    copied = copy.deepcopy(network)
    copied.load_state_dict(in_full(compressed(network.state_dict(), bits)))
    return copied


def load_model(path: str | os.PathLike[str] = BUNDLED_MODEL) -> Model:
    """Load a model file. Raises ModelFileError when it is missing, damaged, of an unknown format or does not fit."""
    path = Path(path)
    facts, tensors = _open(path)
    for_novelty = {
        name.removeprefix(_NOVELTY): tensors.pop(name) for name in list(tensors) if name.startswith(_NOVELTY)
    }
    marks = tensors.pop(_SEEN, None)
    try:
        novelty = Novelty.from_tensors(for_novelty) if for_novelty else None
        seen = SeenPhotos.from_tensor(marks) if marks is not None else None
    except ValueError as error:
        raise ModelFileError(f"{path.name}: {error}. Take another copy of the file.") from error
    try:
        weights = in_full(tensors)
        build = partial(
            build_network,
            facts.backbone,
            weights=None,
            hidden=facts.hidden,
            input_size=facts.input.size,
            members_turned=facts.input.members_turned,
        )
        if not known_small(facts.backbone):
            # A short file can name a network of gigabytes: its outline takes no memory.
            with torch.device("meta"):
                check_shapes(build(), weights)
        network = build(dropout=facts.dropout)
        network.input_spec = facts.input
        network.load_state_dict(weights)
        with told(facts.backbone, "run"), torch.inference_mode():
            answer = network.forward_whole(torch.zeros(1, 3, facts.input.size, facts.input.size))
    except (WeightsError, ValueError) as error:
        raise ModelFileError(f"{path.name}: {error}") from error
    except RuntimeError as error:  # torch's list of missing keys and shapes is long; its second line says the first
        detail = str(error).split("\n")[1].strip() if "\n" in str(error) else str(error)
        raise ModelFileError(f"{path.name}: its tensors do not fit {facts.backbone} ({detail[:200]}).") from error
    if novelty is not None and len(novelty.mean) not in (answer.style.shape[1], answer.features.shape[1]):
        raise ModelFileError(f"{path.name}: its novelty tensors are not those of {facts.backbone}.")
    if not all(tensor.isfinite().all() for tensor in [*network.state_dict().values(), *for_novelty.values()]):
        raise ModelFileError(f"{path.name}: it holds values that are not numbers. Take another copy of the file.")
    return Model(network.eval(), facts, hashlib.sha256(path.read_bytes()).hexdigest(), novelty, seen)


def check_shapes(outline: ScreenNet, weights: dict[str, torch.Tensor]) -> None:
    """Raises RuntimeError, in the words of `load_state_dict`, when the weights are not those of the network."""
    wanted = {name: tensor.shape for name, tensor in outline.state_dict().items()}
    wrong = [name for name, tensor in weights.items() if wanted.get(name) != tensor.shape]
    wrong += sorted(wanted.keys() - weights)
    if wrong:
        raise RuntimeError(f"missing, unknown or of another shape: {wrong[0]}, one of {len(wrong)}")


def _with_tuples(table: dict[str, Any]) -> dict[str, Any]:
    """JSON knows no tuples: what was one comes back as a list."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()}


def _open(path: Path) -> tuple[ModelFacts, dict[str, torch.Tensor]]:
    if not path.is_file():
        raise ModelFileError(f"There is no model file {path}. Train one with train/run.py, or give another path.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError) as error:
        other = describe_model(path) or f"is no whole safetensors file ({error}). Copy it again from where it came."
        raise ModelFileError(f"{path.name} {other}") from error
    if _FACTS_KEY not in metadata:
        raise ModelFileError(f"{path.name} is a safetensors file, but not a model file of isic_screen. {advice(path)}")
    try:
        facts = ModelFacts.from_json(metadata[_FACTS_KEY])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelFileError(f"{path.name}: the facts about the model cannot be used: {error}.") from error
    return facts, tensors
