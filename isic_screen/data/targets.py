"""Melanoma or not, from all that a row says: malignant is not melanoma, and a diagnosis knows better than a target.

Three kinds of columns speak of it: those that say melanoma outright, those that say malignant, and those that name a
diagnosis. Where a row has a known diagnosis, that decides; where its diagnoses contradict each other it is a melanoma,
since of the two possible errors, teaching that a melanoma is harmless is the worse.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from isic_screen.data.diagnoses import MELANOMA, OTHER, class_of, is_exact_name
from isic_screen.data.table_files import map_once
from isic_screen.errors import DataError
from isic_screen.wording import counted, listed

OUTRIGHT_COLUMNS = ("target", "melanoma", "mel", "label", "class")
ARCHIVE_COLUMNS = ("diagnosis_1", "iddx_1")
MALIGNANCY_COLUMNS = ("malignant", "benign_malignant", *ARCHIVE_COLUMNS)
STATED_COLUMNS = (*OUTRIGHT_COLUMNS, *MALIGNANCY_COLUMNS)
# The most specific first. Those with numbers are levels of the ISIC archive: 2 is a family, 3 a name.
DIAGNOSIS_COLUMNS = (
    "diagnosis_full",
    "iddx_full",
    *(f"{kind}_{level}" for level in (5, 4, 3) for kind in ("diagnosis", "iddx")),
    *("diagnosis", "dx", "diagnostic", "diagnosis_2", "iddx_2"),
)
TARGET_COLUMNS = (*STATED_COLUMNS, *DIAGNOSIS_COLUMNS)

YES = frozenset({"1", "1.0", "true", "yes", "malignant"})
NO = frozenset({"0", "0.0", "false", "no", "benign", "non-melanoma", "nonmelanoma", "not melanoma"})
UNKNOWN = frozenset({"", "unknown", "nan", "na", "n/a", "none", "null"})
_MALIGNANT, _UNDECIDED = "malignant", "indeterminate"
_MARKED = frozenset({"1", "1.0"})
_ONE_HOT = _MARKED | {"", "0", "0.0"}


def targets_of(path: Path, table: pd.DataFrame, warnings: list[str]) -> tuple[pd.Series, pd.Series]:
    """1 (melanoma) or 0 for each row, NaN where the table leaves it open; and the diagnosis, ``""`` where unknown.

    Open are rows that say "indeterminate" or, in tables of the ISIC archive, say nothing. Raises ``DataError`` for
    other rows that say neither, and for malignant ones with a diagnosis that is not known: they may be either.
    """
    column = _target_column(table)
    value = table[column].str.lower()
    stated = map_once(table[column], _meaning).astype("float64")
    texts = _diagnoses(table)
    classes = texts.apply(lambda names: map_once(names, _class))
    melanoma = (classes == MELANOMA).any(axis=1)
    other = (classes.notna() & (classes != MELANOMA)).any(axis=1)
    diagnosed = pd.Series(np.nan, index=table.index).mask(other, 0.0).mask(melanoma, 1.0)
    target = diagnosed.fillna(stated)

    of_archive = "isic_id" in table.columns or column in ("benign_malignant", *ARCHIVE_COLUMNS)
    left_open = target.isna() & (value.str.startswith(_UNDECIDED) | (value.isin(UNKNOWN) & of_archive))
    _check_readable(path, table.loc[target.isna() & ~left_open, column])
    # ISIC 2024's `target` is 1 for other skin cancers too; its tables are told by columns that no other has.
    of_2024 = any(name.startswith(("tbp_lv_", "iddx_")) for name in table.columns)
    means_malignant = column in MALIGNANCY_COLUMNS or (column == "target" and of_2024)
    malignant = (stated == 1) & ((value == _MALIGNANT) | means_malignant)
    _check_malignant(path, texts[malignant & diagnosed.isna()])
    contradicted = diagnosed.notna() & stated.notna() & (diagnosed != stated) & (column in STATED_COLUMNS)

    def warn(rows: pd.Series, noun: str, rest: str) -> None:
        if rows.any():
            named = rows_named(table.index[rows])
            warnings.append(f"{path.name}, column {column}: {counted(int(rows.sum()), noun)} {rest} ({named}).")

    warn(left_open, "row", "left out, as melanoma is neither stated nor excluded")
    warn(
        malignant & contradicted,
        "malignant row",
        "with a diagnosis other than melanoma counted as 0, as in the 2020 challenge",
    )
    warn(
        malignant & diagnosed.isna(),
        "malignant row",
        "without a diagnosis counted as melanoma, but malignant also means carcinomas and other skin cancers: "
        "add their diagnoses, or make sure that there are none",
    )
    warn(
        contradicted & ~malignant & ~melanoma,
        "row",
        "with 1 but a diagnosis other than melanoma counted as 0; if 1 means malignant, check those without one too",
    )
    warn(contradicted & melanoma, "row", "with 0 but the diagnosis melanoma counted as 1")
    warn(melanoma & other, "row", f"with diagnoses that contradict each other ({listed(texts)}) counted as melanoma")
    for name, opposed in _opposed(table, column, stated):
        warn(diagnosed.isna() & opposed, "row", f"contradicted by column {name}, without a diagnosis, left as it is")
    return target, _specific(table, texts, classes, column)


def _target_column(table: pd.DataFrame) -> str:
    """The most trustworthy of the columns that say anything: old ones of the ISIC archive may be there and blank."""
    columns = [name for name in TARGET_COLUMNS if name in table.columns]
    return next((name for name in columns if not table[name].str.lower().isin(UNKNOWN).all()), columns[0])


def rows_named(index: pd.Index) -> str:
    """``rows 2, 3``, or, of folders without a table, ``photos benign/a.jpg, …``."""
    return f"{'rows' if pd.api.types.is_integer_dtype(index) else 'photos'} {listed(index)}"


def _meaning(value: str) -> float:
    """1 for melanoma (or malignant), 0 for not, NaN when the text says neither."""
    plain = value.lower().strip()
    if plain in YES or plain in NO:
        return float(plain in YES)
    found = class_of(value)
    return np.nan if found is None else float(found == MELANOMA)


def _class(diagnosis: str) -> str | None:
    return OTHER if diagnosis.lower() in NO else class_of(diagnosis)


def _diagnoses(table: pd.DataFrame) -> pd.DataFrame:
    """The texts that name diagnoses, the most specific column first, ``""`` where they say nothing or "malignant"."""
    texts = {name: table[name] for name in DIAGNOSIS_COLUMNS if name in table.columns}
    texts = {name: column.mask(column.str.lower().isin(UNKNOWN | YES), "") for name, column in texts.items()}
    one_hot = [name for name in table.columns if is_exact_name(name) and _ONE_HOT.issuperset(table[name].unique())]
    if len(one_hot) > 1 and any(class_of(name) == MELANOMA for name in one_hot):
        texts |= {f"{name} = 1": table[name].isin(_MARKED).map({True: name, False: ""}) for name in one_hot}
    return pd.DataFrame(texts, index=table.index)


def _specific(table: pd.DataFrame, texts: pd.DataFrame, classes: pd.DataFrame, column: str) -> pd.Series:
    """Of each row the first diagnosis that is known, but a melanoma before any other; else the first that is given."""
    stated = table[column].where(map_once(table[column], class_of).notna(), "")
    told = pd.Series("", index=table.index, dtype="str")
    for wanted in (classes == MELANOMA, classes.notna(), texts != ""):
        for name in texts.columns:
            told = told.mask((told == "") & wanted[name], texts[name])
    return told.mask(told == "", stated)


def _opposed(table: pd.DataFrame, column: str, stated: pd.Series) -> Iterator[tuple[str, pd.Series]]:
    """The further columns that state a target, and where they say what cannot be true beside ``column``."""
    for name in STATED_COLUMNS:
        if name in table.columns and name != column and column in STATED_COLUMNS:
            other = map_once(table[name], _meaning)
            melanoma = (other == 1) & (name in OUTRIGHT_COLUMNS) & (table[name].str.lower() != _MALIGNANT)
            yield name, ((stated == 1) & (other == 0)) | ((stated == 0) & melanoma)


def _check_readable(path: Path, values: pd.Series) -> None:
    if len(values):
        named = [f"row {row}: {text!r}" for row, text in values.items()]
        raise DataError(
            f"{path}, column {values.name}: {counted(len(named), 'row')} cannot be read as melanoma (1) or not (0): "
            f"{listed(named)}. Give 1 or 0, malignant or benign, or a known diagnosis, or leave those rows out."
        )


def _check_malignant(path: Path, texts: pd.DataFrame) -> None:
    """``texts``: the diagnoses of malignant rows, none of which is known."""
    given = texts[(texts != "").any(axis=1)]
    if len(given):
        named = [f"row {row}: {' / '.join(filter(None, names))!r}" for row, *names in given.itertuples()]
        raise DataError(
            f"{path}: {counted(len(named), 'malignant row')} with a diagnosis that is not known, so that it may be "
            f"melanoma or another cancer: {listed(named)}. Correct the diagnosis, or add a column target with 1 or 0."
        )
