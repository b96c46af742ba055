"""Images that show the same photo twice, and the list of them that ISIC publishes."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from isic_screen.archive_ids import photo_name
from isic_screen.data.table_files import read_table
from isic_screen.errors import DataError
from isic_screen.wording import counted, listed

DUPLICATES_NAME = "isic_2020_training_duplicates.csv"


def find_duplicates(folder: Path) -> Path | None:
    """The official list of duplicates (``ISIC_2020_Training_Duplicates.csv``, whatever its case) in ``folder``."""
    return next((path for path in sorted(folder.iterdir()) if path.name.lower() == DUPLICATES_NAME), None)


def read_duplicates(path: Path) -> list[tuple[str, str]]:
    """The pairs of image ids in the official list (columns ``image_name_1``, ``image_name_2``)."""
    table = read_table(path)
    missing = [name for name in ("image_name_1", "image_name_2") if name not in table.columns]
    if missing:
        raise DataError(f"{path} has no column {listed(missing)}; it has {', '.join(table.columns)}.")
    return list(zip(table["image_name_1"], table["image_name_2"], strict=True))


def drop_duplicates(rows: pd.DataFrame, pairs: Iterable[tuple[str, str]]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """``rows`` with one image of each set of duplicates, and warnings that count what was removed.

    Pairs that chain (a-b, b-c) are one set. The image kept is the first by id, whatever the order of rows, so that
    two people get the same data. Where the labels of a set disagree a melanoma is kept: of the two possible errors,
    teaching that a melanoma is harmless is the worse; the warning names the images.

    Duplicates also show the same person, so their groups become one (column ``group``, the first by name), for
    every row of those groups: otherwise a person known under two ids could be on both sides of a split. In the
    official ISIC 2020 list each pair has one patient, and nothing is joined.
    """
    # Only sets present in the table matter, but a chain may run through an image that is not there.
    joined = connected(pairs)
    names = rows["image_id"].map(photo_name)
    set_of = names.map(lambda name: joined.get(name, name))
    ordered = rows.assign(_set=set_of).sort_values(["target", "image_id"], ascending=[False, True], kind="stable")
    kept = ordered.index[~ordered.duplicated("_set")]
    removed = rows.index.difference(kept, sort=False)
    if removed.empty:
        return rows, ()

    in_sets = rows.assign(_set=set_of)[set_of.duplicated(keep=False)]
    sets = counted(in_sets["_set"].nunique(), "set")
    warnings = [f"{counted(len(removed), 'duplicate image')} removed: one of each of {sets} is kept."]
    disagree = in_sets[in_sets.groupby("_set")["target"].transform("nunique") > 1]
    if not disagree.empty:
        warnings.append(
            f"{counted(disagree['_set'].nunique(), 'set')} of duplicates labelled both melanoma and not; a melanoma "
            f"was kept: {listed(sorted(disagree['image_id']))}."
        )
    same_person = connected(
        (groups.iloc[0], group) for _, groups in in_sets.groupby("_set")["group"] for group in groups.iloc[1:]
    )
    groups = rows["group"].map(lambda name: same_person.get(name, name))
    changed = rows.loc[groups != rows["group"], "group"].nunique()
    if changed:
        warnings.append(f"{counted(changed, 'patient')} joined with another: duplicates show that they are one person.")
    return rows.assign(group=groups).drop(removed), tuple(warnings)


def connected(pairs: Iterable[Sequence[str]]) -> dict[str, str]:
    """For every name in ``pairs``, the first by name of all those it is connected with (union-find)."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for left, right in pairs:
        first, second = sorted((root(left), root(right)))
        parent[second] = first
    return {name: root(name) for name in list(parent)}
