"""Data sets: a label table and the photos it names, checked, in one form whatever their layout.

``read_sources`` is the way in. How tables and photos are found: ``folders.py``; what a table may hold: ``labels.py``.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from isic_screen.archive_ids import ARCHIVE_IDS, photo_name
from isic_screen.data.class_folders import read_class_folders
from isic_screen.data.duplicates import drop_duplicates, find_duplicates, read_duplicates
from isic_screen.data.folders import (
    PhotoIndex,
    find_table,
    in_containers,
    index_photos,
    joinable_tables,
    no_table,
    states_target,
    tables_below,
)
from isic_screen.data.groups import groups_of_sources, join_groups, of_source
from isic_screen.data.image_names import IMAGE_COLUMNS, image_key
from isic_screen.data.labels import COLUMNS, Labels, check_agreement, drop_repeated, numbers, read_labels
from isic_screen.data.table_files import TABLE_SUFFIXES, column_among, read_table
from isic_screen.errors import DataError
from isic_screen.wording import counted, listed

ENOUGH_PHOTOS = 0.01  # of the table's rows: with fewer photos than this the folder or the table is surely the wrong one


@dataclass(frozen=True)
class DataSet:
    """Images with their labels, ready to be split and read.

    ``rows``, one an image, sorted by source and image id, has the columns

    * ``image_id``: as in the table; ``path``: of the photo file; ``target``: 1 melanoma, 0 not;
    * ``patient``, ``lesion``: ids or ``""``;
    * ``group``: what must not be split: the patient, else the lesion, else the image, and all that is tied to it by
      one of these ids (see groups.py). Prefixed with the source, but for the ids of the ISIC archive, which mean the
      same patient, lesion or photo in every source;
    * ``source``: name of the folder; ``sex``, ``site``, ``diagnosis``, ``skin_tone``: text, ``""`` when unknown;
    * ``age`` in years, ``width`` and ``height`` of the camera's original in pixels: NaN when unknown.

    ``warnings`` are sentences for the user, with counts. ``hashes`` gives the SHA-256 of each source's table.
    """

    name: str
    rows: pd.DataFrame
    warnings: tuple[str, ...]
    hashes: dict[str, str]

    @property
    def sha256(self) -> str:
        """One fingerprint of all label tables, whatever their order."""
        return hashlib.sha256("\n".join(sorted(self.hashes.values())).encode()).hexdigest()


def read_sources(folders: Sequence[Path | str]) -> DataSet:
    """Read one or several data folders (or label tables) as one data set.

    A photo that several sources hold, by its id in the ISIC archive or as one file, is kept from the first of them.
    Raises ``DataError`` as ``read_source`` does, and when sources contradict each other on a photo.
    """
    if not folders:
        raise DataError("No data folder was given.")
    places = [Path(folder).resolve() for folder in folders]
    if len(set(places)) < len(places):
        raise DataError(f"A data folder was given twice: {listed(folders)}.")
    names = _source_names(places)
    sources = [read_source(folder, name=name) for folder, name in zip(folders, names, strict=True)]
    rows = pd.concat([source.rows for source in sources], ignore_index=True)
    warnings = [warning for source in sources for warning in source.warnings]
    rows["group"] = groups_of_sources(rows)
    if len(sources) > 1:
        rows = _drop_shared(rows, warnings)
    return DataSet(
        "+".join(names),
        _sorted(rows),
        tuple(warnings),
        {name: source.hashes[name] for name, source in zip(names, sources, strict=True)},
    )


def read_source(folder: Path | str, *, name: str | None = None) -> DataSet:
    """Read one data folder; or a label table, whose folder then is the one with the photos.

    Raises ``DataError`` naming file and rows: no folder or table, a table that fails the checks of ``read_labels``, no
    photo (or next to none) for its rows, two rows of one photo that disagree. Smaller faults are counted in
    ``warnings``: rows without a photo, photos without a row, repeated rows, ambiguous names, tables not read.
    """
    folder = Path(folder)
    table, unread = (folder, []) if folder.is_file() else find_table(folder)
    folder = folder.parent if folder.is_file() else folder
    name = name or _source_names([folder])[0]
    index = index_photos(folder)
    others = joinable_tables(table, folder)
    labels = read_labels(table, others) if table else _class_folders(folder, index, others)
    warnings = list(labels.warnings)
    if table and (passed := [path.name for path in unread if path not in others]):
        warnings.append(f"{table.name} is used; not read: {listed(passed)}.")
    if table and (joined := [path.name for path in unread if path in others and states_target(path)]):
        warnings.append(f"{table.name} is used; the target is not read from {listed(joined)}.")

    rows = _with_photos(labels, index, folder, warnings)
    rows = _with_side_tables(rows, folder)
    rows["source"] = name
    rows["group"] = of_source(rows["group"], name)
    rows = _without_duplicates(labels, rows.reset_index(drop=True), folder, warnings)
    return DataSet(name, _sorted(rows), tuple(f"{name}: {text}" for text in warnings), {name: labels.sha256})


def _class_folders(folder: Path, index: PhotoIndex, others: Sequence[Path]) -> Labels:
    """The labels of a folder without a label table."""
    labels = None if tables_below(folder) else read_class_folders(folder, index, others)
    if labels is None:
        raise no_table(folder)
    return labels


def _with_photos(labels: Labels, index: PhotoIndex, folder: Path, warnings: list[str]) -> pd.DataFrame:
    """The rows whose photo is there, with its ``path``."""
    rows = labels.rows
    found = [index.find(image) for image in rows["image_id"]]
    there = pd.Series([bool(photos) for photos in found], index=rows.index)
    used = {photos[0] for photos in found if photos}
    missing = rows.loc[~there, "image_id"]
    if len(used) < ENOUGH_PHOTOS * len(rows) or not used:
        raise DataError(
            f"{folder} holds photos for {len(used):,} of the {counted(len(rows), 'row')} of {labels.path.name}: "
            f"none called {listed(missing, 3)}, for example. {in_containers(folder)}"
        )
    if len(missing):
        warnings.append(
            f"{counted(len(missing), 'row')} of {labels.path.name} without a photo left out: {listed(missing)}."
        )
    left_out = {photo for image in labels.left_out for photo in index.find(image)}
    _warn_of_leftover_photos(index, used | left_out, warnings)
    _warn_of_unread_files(index, warnings)
    ambiguous = [image for image, photos in zip(rows["image_id"], found, strict=True) if len(photos) > 1]
    if ambiguous:
        first = index.find(ambiguous[0])[0]
        warnings.append(
            f"{counted(len(ambiguous), 'image')} with several files of that name: {listed(ambiguous)}; "
            f"the first is used ({first})."
        )
    rows = rows[there].assign(path=[str(folder / photos[0]) for photos in found if photos])
    rows["group"] = join_groups(rows["group"], rows["path"])  # "a" and "a.jpg" are one photo
    photos = rows["image_id"].map(photo_name)
    of_archive = photos.str.fullmatch(ARCHIVE_IDS)
    check_agreement(rows[of_archive], photos[of_archive], labels.path)
    return drop_repeated(rows, "path", labels.path, warnings)


def _warn_of_leftover_photos(index: PhotoIndex, used: set[PurePosixPath], warnings: list[str]) -> None:
    leftover = index.without_row(used)
    if leftover:
        warnings.append(f"{counted(len(leftover), 'photo')} without a row left out: {listed(leftover)}.")


def _warn_of_unread_files(index: PhotoIndex, warnings: list[str]) -> None:
    if index.unread:
        warnings.append(
            f"{counted(len(index.unread), 'picture or archive', 'pictures or archives')} of kinds that are not read "
            f"left out: {listed(index.unread)}."
        )
    over = index.passed_over.without(TABLE_SUFFIXES | {""})  # a table, a licence
    if over:
        warnings.append(f"Passed over: {over}.")


def _with_side_tables(rows: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Adds what ``original_size.csv`` and ``skin_tone.csv`` beside the label table know of its images."""
    keys = rows["image_id"].map(image_key)
    if (path := folder / "original_size.csv").is_file():
        for column in ("width", "height"):
            known = numbers(_side_column(path, (column,)))
            rows[column] = keys.map(known).fillna(rows[column]).astype("float64")
    if (path := folder / "skin_tone.csv").is_file():
        known = _side_column(path, ("skin_tone_group", "skin_tone"))
        rows["skin_tone"] = keys.map(known).fillna(rows["skin_tone"])
    return rows


def _side_column(path: Path, names: tuple[str, ...]) -> pd.Series:
    """One column of a side table, by what the image is called in any table."""
    table = read_table(path)
    image, value = column_among(table, IMAGE_COLUMNS), column_among(table, names)
    if image is None or value is None:
        raise DataError(f"{path} needs an image column and {' or '.join(names)}; it has {', '.join(table.columns)}.")
    table["key"] = table[image].map(image_key)
    return table.drop_duplicates("key").set_index("key")[value]


def _without_duplicates(labels: Labels, rows: pd.DataFrame, folder: Path, warnings: list[str]) -> pd.DataFrame:
    path = find_duplicates(folder)
    if path is not None:
        rows, told = drop_duplicates(rows, read_duplicates(path))
        warnings += told
    elif labels.of_isic_2020:
        warnings.append(
            "ISIC_2020_Training_Duplicates.csv is not in the folder, so duplicate photos stay in. Each pair of the "
            "official list is of one patient, so a split by patient does not leak."
        )
    return rows


def _drop_shared(rows: pd.DataFrame, warnings: list[str]) -> pd.DataFrame:
    """One row for each photo that several sources hold."""
    photos = rows["image_id"].map(photo_name)
    others = ~photos.str.fullmatch(ARCHIVE_IDS)
    # Two tables may lie in one folder, or one source in the folder of another.
    photos = photos.mask(others, rows.loc[others, "path"].map(os.path.realpath))
    rows = rows.assign(group=join_groups(rows["group"], photos.where(others, "")))  # the archive's are joined already
    shared = rows.groupby(photos)["source"].transform("nunique") > 1
    repeated = rows[shared]
    disagree = repeated[repeated.groupby(photos[shared])["target"].transform("nunique") > 1]
    if not disagree.empty:
        raise DataError(
            f"The sources {listed(sorted(set(disagree['source'])))} disagree on whether these show melanoma: "
            f"{listed(sorted(set(disagree['image_id'])))}. Correct one of their tables or leave one source out."
        )
    extra = shared & photos.duplicated()
    if extra.any():
        warnings.append(
            f"{counted(int(extra.sum()), 'photo')} held by several sources kept once, from the first of them: "
            f"{listed(rows.loc[extra, 'image_id'])}."
        )
    return rows[~extra]


def _sorted(rows: pd.DataFrame) -> pd.DataFrame:
    columns = ["image_id", "path", "target", "patient", "lesion", "group", "source"]
    columns += [name for name in COLUMNS if name not in columns]
    return rows[columns].sort_values(["source", "image_id"], kind="stable", ignore_index=True)


def _source_names(folders: Sequence[Path]) -> list[str]:
    """Names of the folders, numbered where two are called the same."""
    names: list[str] = []
    for folder in folders:
        base = (folder.parent if folder.is_file() else folder).resolve().name or "data"
        number = 2
        name = base
        while name in names:
            name, number = f"{base}-{number}", number + 1
        names.append(name)
    return names


__all__ = ["DataSet", "Labels", "read_labels", "read_source", "read_sources"]
