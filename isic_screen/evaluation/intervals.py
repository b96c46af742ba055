"""95 % intervals by bootstrap over groups: patients, or lesions where the patient is not known, or images.

Images of one patient resemble each other, so drawing single images would claim more certainty than there is. Whole
groups are drawn with replacement instead (the cluster bootstrap: Field & Welsh, J R Stat Soc B 69, 2007), and the
interval runs from the 2.5th to the 97.5th percentile of the resamples.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isic_screen.evaluation.counts import Counts, Floats, Ranking
from isic_screen.evaluation.metrics import missing_class

RESAMPLES = 1000
MAX_UNDEFINED_SHARE = 0.05
"""With more undefined resamples than this the rest is too select a sample to read an interval from."""
_CHUNK_NUMBERS = 2_000_000  # weights held at once: 16 MB

Measure = Callable[[Floats], Mapping[str, Floats]]
"""From image weights (R, N) to named values (R,), nan where undefined."""


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval; what is None is explained by `reason`.

    `n` images, of them `positives` melanomas, of `groups` patients or lesions. `undefined_resamples` were left out.
    """

    value: float | None
    low: float | None
    high: float | None
    reason: str | None
    n: int
    positives: int
    groups: int
    undefined_resamples: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As it stands in `metrics.json`."""
        return asdict(self)


def group_weights(groups: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0) -> Iterator[Floats]:
    """How often each image is drawn in each resample: blocks (R, N) of whole numbers, `resamples` rows in all.

    As many groups are drawn, with replacement, as there are. The same groups and seed give the same draws.
    """
    names, member_of = np.unique(np.asarray(groups), return_inverse=True)
    generator = np.random.default_rng(seed)
    block = max(1, _CHUNK_NUMBERS // max(len(member_of), 1))
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = generator.integers(len(names), size=(rows, len(names))) + len(names) * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * len(names)).reshape(rows, len(names))
        yield times[:, member_of].astype(float)


def resample(measure: Measure, groups: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Floats]:
    """The values (resamples,) that `measure` takes over bootstrap resamples of whole groups."""
    blocks = [measure(weights) for weights in group_weights(groups, resamples=resamples, seed=seed)]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def bootstrap(
    measure: Measure,
    targets: ArrayLike,
    groups: ArrayLike,
    *,
    undefined: Mapping[str, str] | None = None,
    inflated: Collection[str] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Estimates of everything `measure` names, for images with `targets` (N,) in `groups` (N,); not empty.

    `undefined` says, by name, why a value can be undefined although both classes are there. `inflated` names those that
    are sums of absolute errors: chance can only raise them, in the sample as against the truth and in a resample as
    against the sample. In simulations the plain percentiles of a calibration error covered a truth near 0 never, so
    the lower end is the upper percentile reflected at the value (the basic bootstrap: Davison & Hinkley, 1997, 5.2),
    not below 0. The upper end stays: a test of as many photos, which chance raises as well, should stay under it.
    """
    labels, members = np.asarray(targets), np.asarray(groups)
    if not len(labels) or labels.shape != members.shape:
        raise ValueError(f"targets and groups must be (N,) alike and not empty, got {labels.shape}, {members.shape}")
    values = measure(np.ones((1, len(labels))))
    draws = resample(measure, members, resamples=resamples, seed=seed)
    return {
        name: _estimate(
            float(value[0]),
            draws[name],
            missing_class(labels) or (undefined or {}).get(name, "it is not defined for these images"),
            labels,
            members,
            inflated=name in inflated,
        )
        for name, value in values.items()
    }


def paired_difference(
    metric: Callable[[Counts], Floats],
    scores: ArrayLike,
    baseline: ArrayLike,
    targets: ArrayLike,
    groups: ArrayLike,
    *,
    resamples: int = RESAMPLES,
) -> Estimate:
    """`metric` of `scores` minus that of `baseline`, two scores (N,) of the same images, drawn together.

    For example ``paired_difference(Counts.roc_auc, ours, theirs, targets, groups)``.
    """
    first, second = Ranking.of(scores, targets), Ranking.of(baseline, targets)

    def measure(weights: Floats) -> dict[str, Floats]:
        return {"difference": metric(first.counts(weights)) - metric(second.counts(weights))}

    return bootstrap(measure, targets, groups, resamples=resamples)["difference"]


def _estimate(
    value: float, draws: Floats, undefined: str, targets: NDArray[Any], groups: NDArray[Any], *, inflated: bool
) -> Estimate:
    n, positives, group_count = len(targets), int((targets == 1).sum()), len(np.unique(groups))
    if np.isnan(value):
        return Estimate(None, None, None, undefined, n, positives, group_count)
    defined = draws[~np.isnan(draws)]
    left_out = len(draws) - len(defined)
    reason = None
    if left_out > MAX_UNDEFINED_SHARE * len(draws):
        reason = f"no interval: {left_out} of {len(draws)} resamples were undefined, the sample is too small"
    elif np.ptp(defined) <= 1e-12 * abs(value):  # but for rounding
        # All melanomas found, for example: resampling cannot show what a larger sample would miss.
        reason = "no interval: every resample gave the same value, so resampling says nothing about its uncertainty"
    if reason:
        return Estimate(value, None, None, reason, n, positives, group_count, left_out)
    low, high = np.percentile(defined, (2.5, 97.5))
    if inflated:
        low = max(2 * value - high, 0.0)
    return Estimate(value, float(low), float(high), None, n, positives, group_count, left_out)
