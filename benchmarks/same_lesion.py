"""Photos that show the same lesion though no table says so, and how good the model is without them.

    python -m benchmarks.same_lesion --data DIR …

The folds keep patients and lesions together where a source names them; ISIC 2017 names neither, and sources overlap.
For every photo the NEIGHBOURS that look most alike to the bundled model are compared point by point: SIFT keypoints
(Lowe, IJCV 60, 2004), matched with his ratio test, of which as many as possible are brought into line by one shift,
turn and scale (RANSAC). MATCHES of them in line are taken for the same lesion. How far that can be trusted is measured
on HAM10000, which names its lesions: how many pairs of one lesion are found, and how many of two. Then the AUC of the
shipped model's held-out scores (assets/held_out/shipped.csv.gz) is taken with and without the photos that have such a
partner in another fold. Writes benchmarks/results/same_lesion.json.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from benchmarks.held_out import rows_given
from benchmarks.measure import run, write_result
from isic_screen.artifact import load_model
from isic_screen.engine import engine_of
from isic_screen.evaluation.ablation import compare
from isic_screen.photo import open_photo

NEIGHBOURS = 5
MATCHES = 8
SIDE = 256
"""Pixels of the squares that are compared."""
KNOWN_PAIRS = 1000
"""Pairs of HAM10000 of each kind, of one lesion and of two, that the search is tried on."""
_AT_ONCE = 64


def main() -> None:
    rows = rows_given(__doc__)
    found = [(one, two, matches) for one, two, matches in _matched(rows, _neighbours(rows)) if matches >= MATCHES]
    torn = {at for one, two, _ in found if rows["fold"][one] != rows["fold"][two] for at in (one, two)}
    without = rows.drop(index=list(torn))
    result: dict[str, Any] = {
        "matches_from": MATCHES,
        "tried_on_lesions_that_are_named": _trial(rows),
        "pairs": [
            {
                "images": [f"{rows['source'][at]}/{rows['image_id'][at]}" for at in (one, two)],
                "melanoma": [int(rows["target"][at]) for at in (one, two)],
                "folds": [int(rows["fold"][at]) for at in (one, two)],
                "matches": matches,
            }
            for one, two, matches in found
        ],
        "photos_with_a_partner_in_another_fold": {
            str(source): len(part) for source, part in rows.loc[sorted(torn)].groupby("source")
        },
        "auc": compare({"shipped": rows}, rows, against={})["shipped"]["auc"],
        "auc_without_them": compare({"shipped": rows}, without, against={})["shipped"]["auc"],
    }
    write_result("same_lesion", result)


def _neighbours(rows: pd.DataFrame) -> list[tuple[int, int]]:
    """Pairs of photos of different groups, one of the NEIGHBOURS nearest to the other for the bundled model."""
    network = load_model().network
    engine = engine_of(network, torch.device("cpu"))
    parts = []
    for start in range(0, len(rows), _AT_ONCE):
        photos = [network.input_spec(open_photo(path)) for path in rows["path"][start : start + _AT_ONCE]]
        parts.append(engine(torch.stack(photos)).features)
    features = torch.cat(parts)
    features = torch.nn.functional.normalize((features - features.mean(0)) / features.std(0).clamp_min(1e-6))
    groups = torch.from_numpy(pd.factorize(rows["group"])[0])
    pairs = set()
    for start in range(0, len(rows), 1000):
        alike = features[start : start + 1000] @ features.T
        alike[groups[start : start + 1000, None] == groups] = -1
        for one, nearest in enumerate(alike.topk(NEIGHBOURS).indices.tolist(), start):
            pairs |= {(min(one, two), max(one, two)) for two in nearest}
    return sorted(pairs)


def _matched(rows: pd.DataFrame, pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Each pair of rows with how many of its keypoints are in line."""
    paths = rows["path"].tolist()
    return [(one, two, _in_line(_keypoints(paths[one]), _keypoints(paths[two]))) for one, two in pairs]


@lru_cache(maxsize=20_000)
def _keypoints(path: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Places (K, 2) and SIFT descriptors (K, 128) of a photo."""
    grey = np.asarray(open_photo(path).convert("L").resize((SIDE, SIDE)))
    # Skin has little contrast: by default there would be a handful of keypoints.
    places, descriptors = cv2.SIFT.create(nfeatures=200, contrastThreshold=0.01).detectAndCompute(grey, None)
    if descriptors is None:
        return np.empty((0, 2), np.float32), np.empty((0, 128), np.float32)
    return np.array([place.pt for place in places], np.float32), descriptors.astype(np.float32)


def _in_line(
    one: tuple[NDArray[np.float32], NDArray[np.float32]], two: tuple[NDArray[np.float32], NDArray[np.float32]]
) -> int:
    (places, descriptors), (others, other_descriptors) = one, two
    if min(len(places), len(others)) < 3:
        return 0
    nearest = cv2.BFMatcher().knnMatch(descriptors, other_descriptors, k=2)
    pairs = [(first.queryIdx, first.trainIdx) for first, second in nearest if first.distance < 0.75 * second.distance]
    if len(pairs) < 3:
        return 0
    here, there = places[[p for p, _ in pairs]], others[[p for _, p in pairs]]
    _, in_line = cv2.estimateAffinePartial2D(here, there, method=cv2.RANSAC, ransacReprojThreshold=4)
    # Many keypoints that are matched with one and the same are one.
    return 0 if in_line is None else len(np.unique(np.round(there[in_line.ravel() > 0]), axis=0))


def _trial(rows: pd.DataFrame) -> dict[str, int]:
    """How many of KNOWN_PAIRS pairs of one lesion, and of two, would be taken for the same."""
    named = rows[rows["source"] == "ham10000"]
    random = np.random.default_rng(0)
    same = [tuple(part.index[:2]) for _, part in named.groupby("lesion") if len(part) > 1]
    same = [same[at] for at in random.permutation(len(same))[:KNOWN_PAIRS]]
    drawn = random.choice(named.index.to_numpy(), (2 * KNOWN_PAIRS, 2))
    other = [(a, b) for a, b in drawn.tolist() if named["lesion"][a] != named["lesion"][b]][:KNOWN_PAIRS]
    return {
        "pairs_of_one_lesion": len(same),
        "of_them_taken_for_the_same": sum(matches >= MATCHES for *_, matches in _matched(rows, same)),
        "pairs_of_two_lesions": len(other),
        "of_them_taken_for_one": sum(matches >= MATCHES for *_, matches in _matched(rows, other)),
    }


if __name__ == "__main__":
    run(main)
