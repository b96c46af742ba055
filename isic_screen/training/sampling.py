"""How often each image is drawn, and what the diagnosis beside "melanoma or not" is.

Sources differ in size, melanoma rate and camera. Plain sampling would let the largest source drown the others and let
the network win points by telling sources, or cameras, apart. Tempered sampling draws sources by a power of their size
and the classes inside each source, or inside each camera of a source, in the same proportion.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isic_screen.data.diagnoses import DIAGNOSES, MELANOMA, class_of

NO_DIAGNOSIS = -1

FEW = 10  # melanomas or other images: with fewer, a camera's classes cannot be balanced within it


def diagnosis_targets(rows: pd.DataFrame) -> NDArray[np.int64]:
    """The index in DIAGNOSES of each row's `diagnosis`, or NO_DIAGNOSIS where it is unknown or none of them.

    A melanoma by its target is one whatever its text says.
    """
    names = rows["diagnosis"].map(class_of)
    names = names.mask(rows["target"] == 1, MELANOMA)
    found = pd.Index(DIAGNOSES).get_indexer(pd.Index(names))
    # "mel" in the text of a row that counts as benign contradicts the label that is trained on.
    return np.where((found == 0) & (rows["target"] == 0), NO_DIAGNOSIS, found).astype(np.int64)


def cameras(rows: pd.DataFrame) -> pd.Series:
    """A name for the original size of each row where enough images of both classes have it, else "other".

    Where the other sizes of a source lack a class, its cameras cannot be balanced: then all its rows have one name.
    """
    size = rows["source"] + " " + rows["width"].map("{:g}".format) + "x" + rows["height"].map("{:g}".format)
    counts = pd.crosstab(size, rows["target"]).reindex(columns=[0, 1], fill_value=0)
    names = size.where(size.map(counts.min(axis=1)) >= FEW, rows["source"] + " other")
    lacking = rows["target"].groupby(names).transform("nunique").groupby(rows["source"]).transform("min") < 2
    return names.mask(lacking, rows["source"])


def camera_groups(rows: pd.DataFrame) -> NDArray[np.int64]:
    """A number (N,) for each row's camera and class."""
    return np.asarray(rows.groupby([cameras(rows), "target"]).ngroup(), np.int64)


def sampling_weights(
    rows: pd.DataFrame, *, source_power: float, melanoma_share: float, diagnosis_power: float, within_camera: bool
) -> NDArray[np.float64]:
    """The probability (N,) of drawing each row.

    A source is drawn in proportion to its size to the `source_power` (1: natural, 0: all alike). In each source a
    share `melanoma_share` of draws are melanomas, every one of them alike; the other diagnoses follow their number to
    the `diagnosis_power`. `within_camera` gives every camera of a source the same share of melanomas: its benign
    images are drawn as often in all as its melanomas ask for. 0 for `melanoma_share` keeps the natural share.
    """
    weights = pd.Series(0.0, index=rows.index)
    sizes = rows["source"].value_counts().astype(float) ** source_power
    camera = cameras(rows) if within_camera else rows["source"]
    for source, part in rows.groupby("source"):
        melanoma = part["target"] == 1
        share = melanoma_share or float(melanoma.mean())
        if melanoma.all() or not melanoma.any():
            share = float(melanoma.all())
        melanomas = melanoma.groupby(camera[part.index]).sum()
        for name, group in part[~melanoma].groupby(camera[part.index]):
            common = group["diagnosis"].map(group["diagnosis"].value_counts().astype(float))
            each = common**diagnosis_power / common
            wanted = melanomas[name] / melanomas.sum() if melanomas.sum() else len(group) / len(part)
            weights[group.index] = (1 - share) * wanted * each / each.sum()
        if share:
            weights[part.index[melanoma]] = share / melanoma.sum()
        weights[part.index] *= sizes[source] / (sizes.sum() * weights[part.index].sum())
    return np.asarray(weights, np.float64)


def draw(weights: NDArray[np.float64], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """`count` rows drawn in proportion to `weights`, as evenly as these allow: systematic sampling, then shuffled.

    A row of weight w comes up floor(count * w) or ceil(count * w) times, where independent draws would leave a third
    of the images of an epoch unseen.
    """
    places = (random.random() + np.arange(count)) / count
    # Shuffled first, so that which of two neighbours is left out is chance.
    order = random.permutation(len(weights))
    rows = order[
        np.searchsorted(np.cumsum(weights[order]) / weights.sum(), places, side="right").clip(max=len(weights) - 1)
    ]
    return random.permutation(rows).astype(np.int64)
