"""A label table: which image shows a melanoma, whose it is, and what else is known of it.

One reader serves ISIC 2020 (official and Kaggle), HAM10000, the one-hot tables of ISIC 2018 and 2019, the ISIC
archive's ``metadata.csv`` and tables people make themselves: they differ in their column names only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from isic_screen.data.groups import groups_of, join_groups
from isic_screen.data.image_names import IMAGE_COLUMNS
from isic_screen.data.joined import AGE, IMAGE_TYPE, LESION, PATIENT, SEX, SITE, join_tables, sex_of
from isic_screen.data.table_files import column_among, map_once, read_header, read_table
from isic_screen.data.targets import TARGET_COLUMNS, rows_named, targets_of
from isic_screen.errors import DataError
from isic_screen.hashing import sha256_file
from isic_screen.wording import counted, listed

OF_ISIC_2020 = "anatom_site_general_challenge"  # a column that no other data set has
COLUMNS = (
    *("image_id", "target", "patient", "lesion", "group"),
    *("sex", "age", "site", "skin_tone", "diagnosis", "width", "height"),
)


@dataclass(frozen=True)
class Labels:
    """A label table that passed its checks.

    ``rows`` is indexed by spreadsheet row and has the columns ``COLUMNS``: ``target`` is 0 or 1 (melanoma), ``age``
    in years, ``width`` and ``height`` of the original in pixels (NaN when unknown), the others text (``""`` when
    unknown), ``group`` as in groups.py.
    ``left_out`` are the ids of images that the table names and that are left out: not dermoscopic, or melanoma neither
    said nor excluded. ``warnings`` tell what was put right on the way; ``sha256`` is the file's. ``of_isic_2020`` says
    whether it is a table of that challenge.
    """

    path: Path
    rows: pd.DataFrame
    left_out: tuple[str, ...]
    warnings: tuple[str, ...]
    sha256: str
    of_isic_2020: bool


def read_labels(path: Path, others: Sequence[Path] = ()) -> Labels:
    """Read a label table, without looking for images, and what ``others`` know of its images (see joined.py).

    Raises ``DataError`` naming the file and its rows: unreadable or empty, no image or target column, a row without
    an image id or with a target that is neither melanoma nor not, one image with two targets, an id that points
    outside the data folder, tables that contradict each other.
    """
    path = Path(path)
    table = read_table(path)
    if column_among(table, IMAGE_COLUMNS) is None:
        raise DataError(_missing(path, table, "image", IMAGE_COLUMNS))
    if column_among(table, TARGET_COLUMNS) is None:
        raise DataError(_missing(path, table, "target", TARGET_COLUMNS))
    if table.empty:
        raise DataError(f"{path} has a header but no rows: one row per image is needed.")
    return labels_of(path, table, others, sha256_file(path))


def labels_of(path: Path, table: pd.DataFrame, others: Sequence[Path], sha256: str) -> Labels:
    """The labels in a ``table`` that has an image and a target column; otherwise as ``read_labels``."""
    image_column = column_among(table, IMAGE_COLUMNS)
    assert image_column is not None
    images = table[image_column]
    _check_ids(path, images)
    joined = join_tables(path, table, images, others)
    rows = pd.DataFrame(
        {
            "image_id": images,
            "patient": joined.text(PATIENT),
            "lesion": joined.text(LESION),
            "sex": map_once(joined.text(SEX), sex_of),
            "age": numbers(joined.text(AGE)),
            "site": joined.text(SITE),
            "skin_tone": joined.skin_tone(),
            "width": _numbers(table, "width"),
            "height": _numbers(table, "height"),
        }
    )
    # Before any row is left out: it may be what ties two others together.
    rows["group"] = groups_of(rows)
    for ids in joined.ties:
        rows["group"] = join_groups(rows["group"], ids)

    warnings = list(joined.warnings)
    wanted = _dermoscopic(path, joined.text(IMAGE_TYPE), warnings)
    target, diagnosis = targets_of(path, joined.with_diagnoses(table)[wanted], warnings)
    rows = rows[wanted].assign(target=target, diagnosis=diagnosis)
    known = rows["target"].notna()
    if not known.any():
        raise DataError(f"{path} does not say of any image whether it shows a melanoma. " + " ".join(warnings))
    left_out = (*images[~wanted], *rows.loc[~known, "image_id"])
    rows = drop_repeated(rows[known].astype({"target": "int64"}), "image_id", path, warnings)
    return Labels(path, rows[list(COLUMNS)], left_out, tuple(warnings), sha256, OF_ISIC_2020 in table.columns)


def _dermoscopic(path: Path, types: pd.Series, warnings: list[str]) -> pd.Series:
    """Which images are dermoscopic, or not said to be of another type; all where none is dermoscopic."""
    other = (types != "") & ~types.str.contains("dermoscop|dermatoscop", case=False)
    if other.any():
        kinds = listed(f"{kind} {number:,}" for kind, number in types[other].value_counts().items())
        if other.all():
            warnings.append(f"{path.name}: none of the photos is dermoscopic ({kinds}); the model is made for those.")
            return ~other | True
        warnings.append(f"{path.name}: {counted(int(other.sum()), 'photo')} not dermoscopic left out ({kinds}).")
    return ~other


def is_label_table(path: Path) -> bool:
    """Whether a table names images and says something of melanoma (a reading error counts as no)."""
    header = header_of(path)
    return not (set(IMAGE_COLUMNS).isdisjoint(header) or set(TARGET_COLUMNS).isdisjoint(header))


def header_of(path: Path) -> list[str]:
    """The columns of a table, none for one that cannot be read."""
    try:
        return read_header(path)
    except DataError:
        return []


def drop_repeated(rows: pd.DataFrame, key: str, path: Path, warnings: list[str]) -> pd.DataFrame:
    """One row for each value of ``key``; ``DataError`` when two rows of one image disagree on the target."""
    repeated = rows[rows.duplicated(key, keep=False)]
    if repeated.empty:
        return rows
    check_agreement(repeated, repeated[key], path)
    extra = rows.duplicated(key)
    warnings.append(
        f"{path.name}: {counted(int(extra.sum()), 'repeated row')} left out, the first of each image kept "
        f"({rows_named(rows.index[extra])})."
    )
    return rows[~extra]


def check_agreement(rows: pd.DataFrame, key: pd.Series, path: Path) -> None:
    """Raises ``DataError`` where rows with the same ``key`` disagree on the target."""
    disagree = rows[rows["target"].groupby(key).transform("nunique") > 1]
    if not disagree.empty:
        named = [f"{image} ({rows_named(group.index)})" for image, group in disagree.groupby(key, sort=False)]
        raise DataError(
            f"{path} gives {counted(len(named), 'image')} both as melanoma and as not: {listed(named)}. "
            "Correct the table: which is right cannot be told."
        )


def _missing(path: Path, table: pd.DataFrame, what: str, names: tuple[str, ...]) -> str:
    return f"{path} has no {what} column: one of {', '.join(names)} is needed; it has {', '.join(table.columns)}."


def _check_ids(path: Path, ids: pd.Series) -> None:
    empty = ids.index[ids == ""]
    if len(empty):
        raise DataError(f"{path} has no image id in {counted(len(empty), 'row')}: {listed(empty)}.")
    slashed = ids.str.replace("\\", "/", regex=False)
    # Labels must not make the program read files elsewhere on the machine.
    outside = ids[slashed.str.contains(r"^(?:/|[A-Za-z]:/)|(?:^|/)\.\.(?:/|$)|[\x00-\x1f]", regex=True)]
    if len(outside):
        named = [f"{value!r} (row {row})" for row, value in outside.items()]
        raise DataError(
            f"{path} points outside the data folder with {listed(named)}. Give image names or paths inside the folder."
        )


def _numbers(table: pd.DataFrame, column: str) -> pd.Series:
    if column not in table.columns:
        return pd.Series(np.nan, index=table.index, dtype="float64")
    return numbers(table[column])


def numbers(texts: pd.Series) -> pd.Series:
    """Texts as numbers, NaN where they are none; nor is an infinity the age or size of anything."""
    found = pd.to_numeric(texts.str.replace(",", ".", regex=False), errors="coerce").astype("float64")
    return found.where(np.isfinite(found))
