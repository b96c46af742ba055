"""Does the heat map mean anything? It is held against maps that know nothing of the model.

Two questions. Where is the heat: inside the lesion's outline more than that of a centred disc, of another photo's map,
or of networks whose weights were randomised (Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018)? And does
it matter: does removing the hottest pixels lower a melanoma's logit more than removing as many others (Samek et al.,
IEEE TNNLS 28, 2017)? Most lesions are photographed in the middle, so the disc is what a map has to beat.

Shapes: maps (h, w) at the network's resolution, outlines (H, W) at any; all of them cover the whole photo.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy.stats import rankdata
from torch import Tensor, nn
from torch.nn import functional

from isic_screen.evaluation.counts import Floats, ratio
from isic_screen.evaluation.intervals import Estimate, bootstrap
from isic_screen.explain import heat_map_of
from isic_screen.network import Head, ScreenNet

Bools = NDArray[np.bool_]
Part = Literal["head", "network"]
Fill = Literal["blur", "mean"]

SHARES = (0.05, 0.1, 0.2, 0.3, 0.5)
"""Shares of a photo's pixels that are removed."""
SEEDS = (0, 1, 2)
"""Each randomised network is drawn this often, and a photo's figures are averaged over the draws."""
RANDOMISED: tuple[Part, ...] = ("head", "network")
ENERGY_BASELINES = ("uniform", "disc", "another_photo", "random_head", "random_network")
FALL_BASELINES = ("random", "disc")


def cell_shares(outline: Bools, cells: tuple[int, int]) -> Floats:
    """The share of each map cell (h, w) that lies inside the outline (H, W): exact areas, also of cut pixels."""
    down, across = (_overlaps(pixels, count) for pixels, count in zip(outline.shape, cells, strict=True))
    shares: Floats = down @ outline.astype(float) @ across.T
    return shares


def energy_inside(heat_map: NDArray[Any], inside: Floats) -> float:
    """The share, 0 to 1, of a map's sum that lies inside, given each cell's share inside; nan for an empty map.

    The map stays at its own resolution: heat is even within a cell, and no interpolation moves it over the border.
    """
    total = float(heat_map.sum())
    return float((heat_map * inside).sum()) / total if total > 0 else float("nan")


def closeness(height: int, width: int, aspect: float) -> Floats:
    """How near each pixel (height, width) of a frame lies to its centre, at most 0.

    `aspect` is the width of the photo over its height before any squashing, so that what is near is a round disc.
    """
    y, x = np.mgrid[0:height, 0:width]
    distance: Floats = np.hypot(((x + 0.5) / width - 0.5) * aspect, (y + 0.5) / height - 0.5)
    return -distance


def hottest(heat: NDArray[Any], share: float) -> Bools:
    """Exactly round(share * pixels) pixels (H, W), those of the greatest heat; the first of equal ones."""
    chosen = np.zeros(heat.size, dtype=bool)
    chosen[np.argsort(-heat, axis=None, kind="stable")[: round(share * heat.size)]] = True
    return chosen.reshape(heat.shape)


def disc_like(outline: Bools) -> Bools:
    """A centred disc (H, W) with as many pixels as the outline's inside; the frame cuts one that is too large."""
    height, width = outline.shape
    return hottest(closeness(height, width, width / height), float(outline.mean()))


def rank_correlation(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Spearman's correlation of the cells of two maps (h, w), -1 to 1; nan where one of them is flat."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])


def randomised(network: ScreenNet, part: Part, seed: int) -> ScreenNet:
    """A copy whose weights are shuffled within each tensor of its head, or of the whole network.

    Nothing learnt survives, yet every layer keeps the scale of its weights; a fresh initialisation would leave batch
    norms without statistics of the same scale, and signals that vanish or explode for that reason alone.
    """
    changed = copy.deepcopy(network).eval()
    generator = torch.Generator().manual_seed(seed)
    shuffled: nn.Module = changed.head if part == "head" else changed
    with torch.no_grad():
        for tensor in shuffled.state_dict().values():
            order = torch.randperm(tensor.numel(), generator=generator)
            tensor.copy_(tensor.flatten()[order].view_as(tensor))
    return changed


def evidence_of(head: Head, activations: Tensor) -> Tensor:
    """The signed evidence map (N, h, w) of `head` on activations (N, C, h, w): `ScreenNet.forward_with_evidence`.

    Apart from the backbone, so that several heads can share one pass through it.
    """
    return torch.einsum("nc,nchw->nhw", head.channel_weights(activations.mean((2, 3))), activations)


def heat_orders(
    evidence: NDArray[Any], size: int, aspect: float, generator: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """Three ways to rank the pixels (size, size) of the network's input for removal, hottest first.

    `map` is the signed evidence (h, w), bilinearly enlarged: the order of the heat map, going on below zero. `random`
    is the same map with its cells shuffled, so that what is removed has as coarse a texture. `disc` grows from the
    centre.
    """
    shuffled = generator.permutation(evidence.ravel()).reshape(evidence.shape)
    return {
        "map": _enlarged(evidence, size),
        "random": _enlarged(shuffled, size),
        "disc": closeness(size, size, aspect),
    }


def logit_falls(
    logits_of: Callable[[Tensor], Tensor],
    images: Tensor,
    filling: Tensor,
    heats: Sequence[NDArray[Any]],
) -> Floats:
    """By how much the logits of images (N, 3, s, s) fall, (N, SHARES), when their hottest pixels are replaced.

    `filling`, (N, 3, s, s) or broadcast to it, holds the pixels to put there; `heats` one ranking (s, s) each.
    """
    with torch.inference_mode():
        whole = logits_of(images)
        falls = []
        for share in SHARES:
            removed = torch.from_numpy(np.stack([hottest(heat, share) for heat in heats]))[:, None]
            falls.append(whole - logits_of(torch.where(removed, filling, images)))
    return torch.stack(falls, dim=1).double().numpy()


def mean_fall(falls: Floats) -> Floats:
    """The area under curves of falls (N, SHARES) from share 0, over the greatest share: a mean fall (N,), in logits."""
    from_zero = np.concatenate([np.zeros((len(falls), 1)), falls], axis=1)
    area: Floats = np.trapezoid(from_zero, [0, *SHARES], axis=1)
    return area / SHARES[-1]


class SanityCheck:
    """Holds a network and its randomised copies, and measures photos by the batch.

    What is removed from a photo is replaced by its mean colour or by a blurred copy of itself (`fill`), whose standard
    deviation is half a map cell.
    """

    def __init__(self, network: ScreenNet, fill: Fill = "blur", seeds: Sequence[int] = SEEDS) -> None:
        self.network, self.fill = network.eval(), fill
        self._random = {part: [randomised(network, part, seed) for seed in seeds] for part in RANDOMISED}
        self._generator = np.random.default_rng(0)
        self._last_map: NDArray[np.float32] | None = None

    def measure(
        self, photos: Sequence[Image.Image], outlines: Sequence[Bools], perturbed: Sequence[bool]
    ) -> list[dict[str, float]]:
        """One row for each RGB photo: energies inside its outline, rank correlations and, if `perturbed`, logit falls.

        Memory grows with the number of photos. `energy/another_photo` takes the map of the photo before, so the first
        of all has none (nan).
        """
        spec = self.network.input_spec
        resized = [spec.resize(photo) for photo in photos]
        images = torch.stack([spec.tensor(photo) for photo in resized])
        with torch.inference_mode():
            activations = self.network.activations(images)
            evidence = evidence_of(self.network.head, activations).numpy()
            others = {
                "random_head": [evidence_of(each.head, activations).numpy() for each in self._random["head"]],
                "random_network": [each.forward_with_evidence(images)[1].numpy() for each in self._random["network"]],
            }
        rows = []
        for index, outline in enumerate(outlines):
            drawn = {name: [heat_map_of(some[index]) for some in maps] for name, maps in others.items()}
            rows.append(self._compare(heat_map_of(evidence[index]), outline, drawn))
        chosen = [index for index, wanted in enumerate(perturbed) if wanted]
        if chosen:
            if self.fill == "blur":
                blur = ImageFilter.GaussianBlur(spec.size / evidence.shape[1] / 2)
                filling = torch.stack([spec.tensor(resized[index].filter(blur)) for index in chosen])
            else:
                filling = images[chosen].mean((2, 3), keepdim=True)
            orders = [
                heat_orders(evidence[i], spec.size, outlines[i].shape[1] / outlines[i].shape[0], self._generator)
                for i in chosen
            ]
            for way in ("map", *FALL_BASELINES):
                falls = logit_falls(self.network, images[chosen], filling, [order[way] for order in orders])
                for index, fall, area in zip(chosen, falls, mean_fall(falls), strict=True):
                    rows[index] |= {f"fall/{way}/{share}": float(f) for share, f in zip(SHARES, fall, strict=True)}
                    rows[index][f"mean_fall/{way}"] = float(area)
        return rows

    def _compare(
        self, heat_map: NDArray[np.float32], outline: Bools, drawn: Mapping[str, Sequence[NDArray[np.float32]]]
    ) -> dict[str, float]:
        cells = (heat_map.shape[0], heat_map.shape[1])
        inside = cell_shares(outline, cells)
        row = {
            "energy/map": energy_inside(heat_map, inside),
            "energy/uniform": float(outline.mean()),
            "energy/disc": energy_inside(cell_shares(disc_like(outline), cells), inside),
            "energy/another_photo": float("nan") if self._last_map is None else energy_inside(self._last_map, inside),
        }
        if heat_map.any():
            self._last_map = heat_map
        for name, maps in drawn.items():
            row[f"energy/{name}"] = _mean([energy_inside(each, inside) for each in maps])
            row[f"similarity/{name}"] = _mean([rank_correlation(heat_map, each) for each in maps])
        return row


def summarise(rows: pd.DataFrame) -> dict[str, Any]:
    """Means with 95 % intervals over lesions, and paired differences from the heat map's.

    `rows`: the columns of `SanityCheck.measure` with `target` (1 melanoma) and `group`. A difference is that of the
    photos on which both are defined. Energies and their differences are shares, falls are in logits.
    """
    kinds = {"all": rows, "melanoma": rows[rows["target"] == 1], "other": rows[rows["target"] == 0]}
    ways = ("map", *FALL_BASELINES)
    return {
        "empty_maps": {name: int(some["energy/map"].isna().sum()) for name, some in kinds.items()},
        "energy_inside": {
            name: _with_differences(some, "energy", ENERGY_BASELINES) for name, some in kinds.items() if len(some)
        },
        "similarity": {
            name: estimate(rows, rows[f"similarity/{name}"]).to_dict() for name in ("random_head", "random_network")
        },
        "perturbation": {
            "shares": list(SHARES),
            "falls": {way: [estimate(rows, rows[f"fall/{way}/{share}"]).to_dict() for share in SHARES] for way in ways},
            "mean_fall": _with_differences(rows, "mean_fall", FALL_BASELINES),
        },
    }


def estimate(rows: pd.DataFrame, values: pd.Series) -> Estimate:
    """The mean of `values` (N,) over the rows that have one, with its interval over the rows' groups."""
    known = values.notna()
    if not known.any():
        return Estimate(None, None, None, "no photo has a value", 0, 0, 0)
    numbers = values[known].to_numpy(dtype=float)
    some = rows[known]
    return bootstrap(lambda weights: {"mean": ratio(weights @ numbers, weights.sum(1))}, some["target"], some["group"])[
        "mean"
    ]


def _with_differences(rows: pd.DataFrame, kind: str, baselines: Sequence[str]) -> dict[str, Any]:
    ours = rows[f"{kind}/map"]
    means = {name: estimate(rows, rows[f"{kind}/{name}"]).to_dict() for name in ("map", *baselines)}
    differences = {name: estimate(rows, ours - rows[f"{kind}/{name}"]).to_dict() for name in baselines}
    return {**means, "map_minus": differences}


def _mean(values: Sequence[float]) -> float:
    """Of the values that are defined; nan when none is."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _enlarged(evidence: NDArray[Any], size: int) -> NDArray[Any]:
    single = torch.from_numpy(np.ascontiguousarray(evidence, dtype=np.float32))[None, None]
    enlarged: NDArray[Any] = functional.interpolate(single, (size, size), mode="bilinear")[0, 0].numpy()
    return enlarged


def _overlaps(pixels: int, cells: int) -> Floats:
    """(cells, pixels): the share of each cell that each pixel covers along one side; rows sum to 1."""
    edges = np.arange(cells + 1) * pixels / cells
    start = np.arange(pixels)
    overlap: Floats = np.minimum(edges[1:, None], start + 1) - np.maximum(edges[:-1, None], start)
    return overlap.clip(min=0) * cells / pixels
