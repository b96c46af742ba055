"""Groups: what must not be split, because its photos show the same person, lesion or picture.

A row's own group is its patient, else its lesion, else its photo. Groups that have any of the three in common are one:
a table may know the patient of one photo of a lesion and not of the next, and a source what another does not.
"""

import pandas as pd

from isic_screen.archive_ids import ARCHIVE_IDS, photo_name
from isic_screen.data.duplicates import connected


def groups_of(rows: pd.DataFrame) -> pd.Series:
    """The group of each row of one table, from its ``image_id``, ``patient`` and ``lesion``.

    It is called as the row's own, or the first by name of those that are one; ids that are not the archive's have
    their kind before them, as a patient "1" and a lesion "1" are not one thing.
    """
    patient, lesion, photo = _named(rows["patient"], "patient"), _named(rows["lesion"], "lesion"), _photos(rows)
    groups = _named(photo, "image").mask(lesion != "", lesion).mask(patient != "", patient)
    for ids in (patient, lesion, photo):
        groups = join_groups(groups, ids)
    return groups


def groups_of_sources(rows: pd.DataFrame) -> pd.Series:
    """The ``group`` of each row of several sources: those that share an id of the archive are one."""
    groups = rows["group"]
    for ids in (rows["patient"], rows["lesion"], _photos(rows)):
        groups = join_groups(groups, ids.where(ids.str.fullmatch(ARCHIVE_IDS), ""))
    return groups


def join_groups(groups: pd.Series, ids: pd.Series) -> pd.Series:
    """``groups`` with those made one, called by the first name, that have rows of the same id (which may be "")."""
    known = groups[ids != ""]
    first = known.groupby(ids).transform("first")
    other = known != first
    same = connected(zip(first[other], known[other], strict=True))
    return groups.map(lambda name: same.get(name, name))


def of_source(groups: pd.Series, source: str) -> pd.Series:
    """``groups`` of one table, told apart from those of others: named after the source, but for the archive's ids."""
    return groups.where(groups.str.fullmatch(ARCHIVE_IDS), source + "/" + groups)


def _photos(rows: pd.DataFrame) -> pd.Series:
    return rows["image_id"].map(photo_name)


def _named(ids: pd.Series, kind: str) -> pd.Series:
    return ids.where((ids == "") | ids.str.fullmatch(ARCHIVE_IDS), f"{kind} " + ids)
