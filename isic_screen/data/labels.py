"""A label table: which image shows a melanoma, whose it is, and what else is known of it.

One reader serves ISIC 2020 (official and Kaggle), HAM10000, the one-hot tables of ISIC 2018 and 2019, the ISIC
archive's ``metadata.csv`` and tables people make themselves: they differ in their column names only.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from isic_screen.data.csv_files import column_among, read_csv, read_header
from isic_screen.data.diagnoses import MELANOMA, class_of
from isic_screen.data.groups import groups_of
from isic_screen.errors import DataError
from isic_screen.hashing import sha256_file
from isic_screen.wording import counted, listed

IMAGE_COLUMNS = ("image_name", "image_id", "isic_id", "image", "filename", "file_name", "file", "path", "id")
# In order of trust: what says melanoma outright, what says malignant, what names a diagnosis.
OUTRIGHT_COLUMNS = ("target", "melanoma", "mel", "label", "class")
MALIGNANCY_COLUMNS = ("malignant", "benign_malignant", "diagnosis_1")
DIAGNOSIS_COLUMNS = ("diagnosis", "dx", "diagnosis_3", "diagnosis_2")
TARGET_COLUMNS = (*OUTRIGHT_COLUMNS, *MALIGNANCY_COLUMNS, *DIAGNOSIS_COLUMNS)
PATIENT_COLUMNS = ("patient_id", "patient")
LESION_COLUMNS = ("lesion_id", "lesion")
SITE_COLUMNS = ("anatom_site_general_challenge", "anatom_site_general", "localization", "site")
AGE_COLUMNS = ("age_approx", "age")

YES = frozenset({"1", "1.0", "true", "yes", "malignant"})
NO = frozenset({"0", "0.0", "false", "no", "benign", "non-melanoma", "nonmelanoma", "not melanoma"})
UNKNOWN = frozenset({"", "unknown", "nan", "na", "n/a", "none", "null"})

COLUMNS = ("image_id", "target", "patient", "lesion", "group", "sex", "age", "site", "diagnosis", "width", "height")


@dataclass(frozen=True)
class Labels:
    """A label table that passed its checks.

    ``rows`` is indexed by spreadsheet row and has the columns ``COLUMNS``: ``target`` is 0 or 1 (melanoma), ``age``
    in years, ``width`` and ``height`` of the original in pixels (NaN when unknown), the others text (``""`` when
    unknown), ``group`` as in groups.py.
    ``warnings`` tell what was put right on the way; ``sha256`` is the file's.
    """

    path: Path
    rows: pd.DataFrame
    warnings: tuple[str, ...]
    sha256: str


def read_labels(path: Path) -> Labels:
    """Read a label table alone, without looking for images.

    Raises ``DataError`` naming the file and its rows: unreadable or empty, no image or target column, a row without
    an image id or with a target that is neither melanoma nor not, one image with two targets, an id that points
    outside the data folder.
    """
    path = Path(path)
    table = read_csv(path)
    image_column = column_among(table, IMAGE_COLUMNS)
    if image_column is None:
        raise DataError(_missing(path, table, "image", IMAGE_COLUMNS))
    if column_among(table, TARGET_COLUMNS) is None:
        raise DataError(_missing(path, table, "target", TARGET_COLUMNS))
    if table.empty:
        raise DataError(f"{path} has a header but no rows: one row per image is needed.")
    _check_ids(path, table[image_column])

    warnings: list[str] = []
    rows = pd.DataFrame(
        {
            "image_id": table[image_column],
            "target": _targets(path, table, warnings),
            "patient": _text(table, PATIENT_COLUMNS),
            "lesion": _text(table, LESION_COLUMNS),
            "sex": _text(table, ("sex",)).str.lower(),
            "age": _numbers(table, AGE_COLUMNS),
            "site": _text(table, SITE_COLUMNS),
            "diagnosis": _text(table, DIAGNOSIS_COLUMNS),
            "width": _numbers(table, ("width",)),
            "height": _numbers(table, ("height",)),
        }
    )
    rows["group"] = groups_of(rows)  # before any row is left out: it may be what ties two others together
    rows = drop_repeated(rows, "image_id", path, warnings)
    return Labels(path, rows, tuple(warnings), sha256_file(path))


def is_label_table(path: Path) -> bool:
    """Whether a CSV file names images and says something of melanoma (a reading error counts as no)."""
    try:
        header = read_header(path)
    except DataError:
        return False
    return not (set(IMAGE_COLUMNS).isdisjoint(header) or set(TARGET_COLUMNS).isdisjoint(header))


def drop_repeated(rows: pd.DataFrame, key: str, path: Path, warnings: list[str]) -> pd.DataFrame:
    """One row for each value of ``key``; ``DataError`` when two rows of one image disagree on the target."""
    repeated = rows[rows.duplicated(key, keep=False)]
    if repeated.empty:
        return rows
    disagree = repeated[repeated.groupby(key)["target"].transform("nunique") > 1]
    if not disagree.empty:
        named = [
            f"{image} (rows {', '.join(map(str, group.index))})" for image, group in disagree.groupby(key, sort=False)
        ]
        raise DataError(
            f"{path} gives {counted(len(named), 'image')} both as melanoma and as not: {listed(named)}. "
            "Correct the table: which is right cannot be told."
        )
    extra = rows.duplicated(key)
    warnings.append(
        f"{path.name}: {counted(int(extra.sum()), 'repeated row')} left out, the first of each image kept "
        f"(rows {listed(rows.index[extra])})."
    )
    return rows[~extra]


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


def _targets(path: Path, table: pd.DataFrame, warnings: list[str]) -> pd.Series:
    """0 or 1 for each row, from the most trustworthy target column there is."""
    column = column_among(table, TARGET_COLUMNS)
    assert column is not None  # read_labels has checked
    meaning = {value: _meaning(value) for value in table[column].unique()}
    target = table[column].map(meaning).astype("float64")
    unknown = table.loc[target.isna(), column]
    if len(unknown):
        named = [f"row {row}: {value!r}" for row, value in unknown.items()]
        raise DataError(
            f"{path}, column {column}: {counted(len(unknown), 'row')} cannot be read as melanoma (1) or not (0): "
            f"{listed(named)}. Give 1 or 0, malignant or benign, or a known diagnosis, or leave those rows out."
        )
    if column in MALIGNANCY_COLUMNS:
        target = _only_melanoma(path, table, target, warnings)
    return target.astype("int64")


def _only_melanoma(path: Path, table: pd.DataFrame, target: pd.Series, warnings: list[str]) -> pd.Series:
    """Malignant says cancer, not melanoma: where a diagnosis names another cancer, the target is 0.

    Raises ``DataError`` for malignant rows with a diagnosis that is not known: they may be either.
    """
    names = [name for name in DIAGNOSIS_COLUMNS if name in table.columns]
    malignant = table.loc[target == 1, names]
    meanings = malignant.apply(lambda column: column.map(_meaning))
    named = ~malignant.apply(lambda column: column.str.lower().isin(UNKNOWN | YES))  # "malignant" names no diagnosis
    unknown = malignant[named.any(axis=1) & meanings[named].isna().all(axis=1)]
    if len(unknown):
        rows = [f"row {row}: {' / '.join(filter(None, texts))!r}" for row, *texts in unknown.itertuples()]
        raise DataError(
            f"{path}: {counted(len(rows), 'malignant row')} with a diagnosis that is not known, so that it may be "
            f"melanoma or another cancer: {listed(rows)}. Correct the diagnosis, or add a column target with 1 or 0."
        )
    other = malignant.index[(meanings == 0).any(axis=1)]
    if len(other):
        warnings.append(
            f"{path.name}: {counted(len(other), 'malignant row')} with a diagnosis other than melanoma counted "
            f"as 0, as in the 2020 challenge (rows {listed(other)})."
        )
    return target.mask(target.index.isin(other), 0.0)


def _meaning(value: str) -> float:
    """1 for melanoma, 0 for not, NaN when the text says neither."""
    plain = value.lower().strip()
    if plain in YES or plain in NO:
        return float(plain in YES)
    found = class_of(value)
    return np.nan if found is None else float(found == MELANOMA)


def _text(table: pd.DataFrame, names: tuple[str, ...]) -> pd.Series:
    column = column_among(table, names)
    if column is None:
        return pd.Series("", index=table.index, dtype="str")
    unknown = table[column].str.lower().isin(UNKNOWN)
    # ISIC 2020 writes "unknown" as a diagnosis that was given: benign, its kind not recorded. Ours says so with "".
    return table[column].mask(unknown, "")


def _numbers(table: pd.DataFrame, names: tuple[str, ...]) -> pd.Series:
    column = column_among(table, names)
    if column is None:
        return pd.Series(np.nan, index=table.index, dtype="float64")
    return numbers(table[column])


def numbers(texts: pd.Series) -> pd.Series:
    """Texts as numbers, NaN where they are none; nor is an infinity the age or size of anything."""
    found = pd.to_numeric(texts.str.replace(",", ".", regex=False), errors="coerce").astype("float64")
    return found.where(np.isfinite(found))
