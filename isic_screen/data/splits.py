"""Splits into training and validation parts, and into folds, that keep groups whole and classes even.

A *group* (patient, else lesion, else image) never has rows in two parts: ISIC 2020 has 16 images a patient, and a
network that has seen a patient's skin, camera and hair knows more of their other images than of a stranger's.
``by="image"`` repeats the split of the paper, which leaks in just this way; ``leak`` says by how much.
"""

from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from isic_screen.data.table_files import read_table
from isic_screen.errors import DataError
from isic_screen.whole_file import whole_file
from isic_screen.wording import counted, listed

TRAIN, VALIDATION = "train", "validation"
By = Literal["group", "image"]


def split_rows(rows: pd.DataFrame, *, fraction: float = 0.2, by: By = "group", seed: int = 0) -> pd.Series:
    """``"train"`` or ``"validation"`` for each of ``rows`` (columns image_id, source, group, target), about
    ``fraction`` of the melanomas and of the others of every source in validation.

    The same seed gives the same split whatever the order of rows. Raises ``DataError`` when a part would lack
    melanomas or non-melanomas.
    """
    if not 0.05 <= fraction <= 0.95:
        raise DataError(f"The validation fraction has to be between 0.05 and 0.95, not {fraction}.")
    _check_groups(rows, 2, by)
    # Parts are made of equal folds: in a split into unequal ones the largest patients would always go to the larger.
    share = Fraction(fraction).limit_denominator(20)
    fold = _assign(rows, share.denominator, by, seed)
    order = np.random.default_rng(seed).permutation(share.denominator)
    target = rows["target"].to_numpy()
    validation = np.isin(fold, order[: share.numerator])
    for turn in range(1, share.denominator):  # with few melanomas some folds have none: then other folds validate
        if len(set(target[validation])) == len(set(target[~validation])) == 2:
            break
        validation = np.isin(fold, np.roll(order, turn)[: share.numerator])
    parts = pd.Series(np.where(validation, VALIDATION, TRAIN), index=rows.index, name="part", dtype="str")
    check_parts(rows, parts)
    return parts


def fold_rows(rows: pd.DataFrame, folds: int = 5, *, by: By = "group", seed: int = 0) -> pd.Series:
    """The fold, 0 to ``folds - 1``, that each of ``rows`` is validated in; otherwise as ``split_rows``."""
    if folds < 2:
        raise DataError(f"Cross-validation needs at least 2 folds, not {folds}.")
    _check_groups(rows, folds, by)
    parts = pd.Series(_assign(rows, folds, by, seed), index=rows.index, name="part")
    check_parts(rows, parts)
    return parts


def check_both_classes(rows: pd.DataFrame, what: str = "The data set") -> None:
    """Raises ``DataError`` when ``rows`` are empty, or all melanoma, or none."""
    melanomas = int(rows["target"].sum())
    if not 0 < melanomas < len(rows):
        lacking = "melanoma" if melanomas == 0 else "image without melanoma"
        raise DataError(
            f"{what} has {counted(len(rows), 'image')} and no {lacking}: training and evaluation need both. "
            "Check the label table, or add images."
        )


def check_parts(rows: pd.DataFrame, parts: pd.Series) -> None:
    """Raises ``DataError`` when any part of a split lacks melanomas or non-melanomas."""
    for part, members in rows.groupby(parts):
        name = f"Fold {part}" if isinstance(part, int | np.integer) else f"The {part} part"
        check_both_classes(members, f"{name} of the split")
    if parts.nunique() < 2:
        raise DataError(f"The split has one part only, {parts.iloc[0]!r}: two are needed.")


def leak(rows: pd.DataFrame, parts: pd.Series) -> str | None:
    """A warning when groups have images in more than one part, with their number; None when none has."""
    spread = parts.groupby(rows["group"]).nunique()
    shared = int((spread > 1).sum())
    if shared == 0:
        return None
    return (
        f"This split leaks: {shared:,} of {len(spread):,} groups (patients, or lesions) have "
        "images in more than one part, so its validation scores are better than on new patients. "
        "Use it only to compare with results split by image."
    )


def save_split(path: Path, rows: pd.DataFrame, parts: pd.Series) -> None:
    """Writes a split as CSV: image_id, source, part."""
    table = rows[["image_id", "source"]].assign(part=parts)
    with whole_file(path) as unfinished:
        table.to_csv(unfinished, index=False)


def read_split(path: Path) -> pd.Series:
    """The parts in a file of ``save_split``, by source and image id: text, or int for folds.

    Raises ``DataError`` when it is no such file, or gives an image two parts.
    """
    table = read_table(path)
    missing = [name for name in ("image_id", "source", "part") if name not in table.columns]
    if missing:
        raise DataError(f"{path} is not a saved split: it has no column {listed(missing)}.")
    folds = table["part"].str.fullmatch(r"\d+").all()
    wrong = table.index[~table["part"].isin([TRAIN, VALIDATION])]
    if not folds and len(wrong):
        raise DataError(
            f"{path} has a part other than {TRAIN} and {VALIDATION} (or fold numbers) in rows {listed(wrong)}."
        )
    table = table.drop_duplicates(["source", "image_id", "part"])
    twice = table.index[table.duplicated(["source", "image_id"])]
    if len(twice):
        raise DataError(f"{path} puts an image in two parts: see rows {listed(twice)}.")
    parts = table.set_index(["source", "image_id"])["part"]
    return parts.astype("int64") if folds else parts


def load_split(path: Path, rows: pd.DataFrame) -> pd.Series:
    """The part of each of ``rows`` as saved by ``save_split``: text, or int for folds.

    Raises ``DataError`` as ``read_split``, and when a row has no part, or a part lacks a class. Images that the file
    names and ``rows`` lack are passed over: they may have been set aside as unreadable.
    """
    part_of = read_split(path)
    places = part_of.index.get_indexer(pd.MultiIndex.from_frame(rows[["source", "image_id"]]))
    uncovered = places < 0
    if uncovered.any():
        raise DataError(
            f"{path} has no part for {counted(int(uncovered.sum()), 'image')} of the data: "
            f"{listed(rows.loc[uncovered, 'source'] + '/' + rows.loc[uncovered, 'image_id'])}. "
            "Give the split made of these data (the sources' folders have to be called the same), or make a new one."
        )
    parts = part_of.iloc[places].set_axis(rows.index).rename("part")
    check_parts(rows, parts)
    return parts


def _units(rows: pd.DataFrame, by: By) -> pd.Series:
    """What goes to one part as a whole."""
    if by not in ("group", "image"):
        raise DataError(f"A split is by group or by image, not by {by!r}.")
    return rows["group"] if by == "group" else rows["source"] + "/" + rows["image_id"]


def _check_groups(rows: pd.DataFrame, parts: int, by: By) -> None:
    check_both_classes(rows)
    units = _units(rows, by)
    for value, what in ((1, "Melanomas"), (0, "Images without melanoma")):
        number = units[rows["target"] == value].nunique()
        if number < parts:
            raise DataError(
                f"{what} come from {counted(number, 'group')} (patient or lesion) only, and {parts} parts need "
                "at least one each. Add data, or make fewer parts."
            )


def _assign(rows: pd.DataFrame, folds: int, by: By, seed: int) -> np.ndarray:
    """The fold, 0 to ``folds - 1``, of each row.

    Every fold should get its share of the images of every stratum (source and class), and of the groups with and
    without melanoma. With ``filled[p, s]`` = what fold p has of s over what it is due, each group in turn goes where it
    least increases the sum of ``filled ** 2``, which is smallest when all are equal. Large groups tend to come early,
    for later ones to even them out, but by weighted chance (Efraimidis and Spirakis, 2006), so that seeds differ.
    """
    unit_of_row, names = pd.factorize(_units(rows, by), sort=True)
    stratum, _ = pd.factorize(rows["source"] + "/" + rows["target"].astype("str"), sort=True)
    holds = _count(unit_of_row, rows["target"].to_numpy()) > 0
    counts = np.hstack([_count(unit_of_row, stratum), holds])
    steps = counts * folds / counts.sum(axis=0)
    weights = (steps**2).sum(axis=1)
    order = np.argsort(np.random.default_rng(seed).exponential(size=len(names)) / weights, kind="stable")
    filled = np.zeros((folds, counts.shape[1]))
    lacks = np.ones((folds, 2), dtype=bool)
    to_come = holds.sum(axis=0)
    fold_of_unit = np.zeros(len(names), dtype="int64")
    for unit in order:
        cost = (filled * steps[unit]).sum(axis=1)  # half the increase, less what is the same for all folds
        for value in (1, 0):  # the last groups with a class go to the folds that have none of it yet
            if holds[unit, value] and to_come[value] <= lacks[:, value].sum():
                cost = np.where(lacks[:, value], cost, np.inf)
        fold = int(np.argmin(cost))
        fold_of_unit[unit] = fold
        filled[fold] += steps[unit]
        lacks[fold] &= ~holds[unit]
        to_come -= holds[unit]
    return fold_of_unit[unit_of_row]


def _count(units: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """How many rows of each kind (columns) each unit (rows) has."""
    counts = np.zeros((units.max() + 1, kinds.max() + 1), dtype="int64")
    np.add.at(counts, (units, kinds), 1)
    return counts
