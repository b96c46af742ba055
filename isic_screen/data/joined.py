"""What the other tables of a folder know of a label table's images: patient, lesion, sex, age, site, diagnosis.

ISIC 2018 names its lesions in ``LesionGroupings``, ISIC 2019 in ``Metadata``. A value that the label table lacks is
taken from the first table that has it. Tables that contradict each other are an error: a photo of a patient who is
taken for another can end up on both sides of a split.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isic_screen.data.diagnoses import MELANOMA, class_of
from isic_screen.data.image_names import IMAGE_COLUMNS, image_key
from isic_screen.data.table_files import column_among, map_once, read_table
from isic_screen.data.targets import DIAGNOSIS_COLUMNS, UNKNOWN
from isic_screen.errors import DataError
from isic_screen.wording import counted, listed

PATIENT, LESION, SEX, AGE, SITE = "patient", "lesion", "sex", "age", "site"
SKIN_TONE, IMAGE_TYPE = "skin_tone", "image_type"
FIELDS: dict[str, tuple[str, ...]] = {
    PATIENT: ("patient_id", "patient"),
    LESION: ("lesion_id", "lesion"),
    SEX: ("sex", "gender"),
    AGE: ("age_approx", "age", "age_approximate"),
    SITE: ("anatom_site_general_challenge", "anatom_site_general", "localization", "site", "region"),
    SKIN_TONE: ("skin_tone_group", "skin_tone", "skin_tone_class", "fitspatrick", "fitzpatrick_skin_type"),
    IMAGE_TYPE: ("image_type",),
    **{name: (name,) for name in DIAGNOSIS_COLUMNS},
}
"""What is joined, by the columns that may hold it, the most trustworthy first."""

# Tables call sites by different vocabularies: "back" in HAM10000 is "posterior torso" in ISIC 2019.
_REGIONS = {
    **dict.fromkeys(("head neck", "head neck face", "head", "neck", "face", "scalp", "ear", "nose"), "head and neck"),
    **dict.fromkeys(("torso", "trunk", "back", "chest", "abdomen"), "torso"),
    **dict.fromkeys(("anterior torso", "posterior torso", "lateral torso"), "torso"),
    **dict.fromkeys(("upper extremity", "arm", "forearm"), "upper extremity"),
    **dict.fromkeys(("lower extremity", "leg", "thigh"), "lower extremity"),
}


def is_joinable(header: Sequence[str]) -> bool:
    """Whether a table with these columns knows something of images."""
    fields = {name for names in FIELDS.values() for name in names}
    return not (set(IMAGE_COLUMNS).isdisjoint(header) or fields.isdisjoint(header))


@dataclass
class Joined:
    """A label table and what others add to it.

    ``known`` has for each of FIELDS that any table holds the ``text`` of each row, and the ``table``, ``row`` and
    ``column`` that it is from. ``ties`` are further ids that tie rows together: those of another archive than the label
    table's ("IL_0000001" beside "HAM_0000001") contradict nothing.
    """

    path: Path
    known: dict[str, pd.DataFrame]
    ties: list[pd.Series]
    warnings: list[str]

    def text(self, field: str) -> pd.Series:
        """The texts of one of FIELDS, ``""`` where unknown."""
        return self.known[field]["text"]

    def skin_tone(self) -> pd.Series:
        """The skin tones, with the name of their scale before what is only a number: scales run either way."""
        known = self.known[SKIN_TONE]
        scale = known["column"].str.replace("_", " ") + " " + known["text"]
        return known["text"].mask(known["text"].str.fullmatch(r"[\d.]+"), scale)

    def with_diagnoses(self, table: pd.DataFrame) -> pd.DataFrame:
        """``table`` with what the others add to its diagnoses."""
        texts = {name: self.text(name) for name in DIAGNOSIS_COLUMNS}
        added = {name: text for name, text in texts.items() if (self.known[name]["table"] != self.path.name).any()}
        return table.assign(**{name: text.mask(text == "", table.get(name, "")) for name, text in added.items()})


def join_tables(path: Path, table: pd.DataFrame, images: pd.Series, others: Sequence[Path]) -> Joined:
    """What the label ``table`` and the ``others`` know of ``images`` (the ids in its rows).

    An id matches with or without folder, suffix and ``_downsampled``. Raises ``DataError`` naming tables and rows where
    two values of one image contradict each other: another patient, lesion, sex, age or site, or melanoma and not.
    """
    joined = Joined(path, {field: _values(path, table, field) for field in FIELDS}, [], [])
    keys = images.map(image_key)
    for other in others:
        found = read_table(other)
        image = column_among(found, IMAGE_COLUMNS)
        if image is None:
            raise DataError(f"{other} has no image column: one of {', '.join(IMAGE_COLUMNS)} is needed.")
        key = _matched(found[image].map(image_key), keys)
        found, key = found[key.notna()], key[key.notna()]
        fields = [field for field, columns in FIELDS.items() if column_among(found, columns)]
        added = {field: _add(joined, field, _values(other, found, field), key, keys) for field in fields}
        filled = [field.replace("_", " ") for field, rows in added.items() if rows]
        if filled:
            number = counted(max(added.values()), "row")
            joined.warnings.append(f"{other.name} adds to {path.name}, in up to {number}: {', '.join(filled)}.")
    return joined


def _values(path: Path, table: pd.DataFrame, field: str) -> pd.DataFrame:
    column = column_among(table, FIELDS[field])
    text = pd.Series("", index=table.index, dtype="str") if column is None else table[column]
    # ISIC 2020 writes "unknown" as a diagnosis that was given: benign, its kind not recorded. Ours says so with "".
    text = text.mask(text.str.lower().isin(UNKNOWN), "")
    return pd.DataFrame({"text": text, "table": path.name, "row": table.index.astype(object), "column": column or ""})


def _matched(names: pd.Series, keys: pd.Series) -> pd.Series:
    """The key that each of ``names`` means: itself, or the only one that ends with it, or with its last part."""
    whole = pd.Series(keys.unique())
    tails = whole.str.rpartition("/")[2]
    alone = ~tails.duplicated(keep=False)
    of_name = {**dict(zip(tails[alone], whole[alone], strict=True)), **{key: key for key in whole}}
    return names.map(lambda name: of_name.get(name, of_name.get(name.rpartition("/")[2])))


def _add(joined: Joined, field: str, found: pd.DataFrame, key: pd.Series, keys: pd.Series) -> int:
    """Adds what another table has ``found``, whose rows are of the images ``key``, and says of how many rows."""
    given = (found["text"] != "").to_numpy()
    found, key = found[given], key[given]
    if found.empty:
        return 0
    first = found.groupby(key.to_numpy()).first()
    repeated = key.duplicated()
    _check(joined.path.parent, field, first.loc[key[repeated]], found[repeated], key[repeated])  # its own rows
    known, new = joined.known[field], first.reindex(keys).set_axis(keys.index)
    other = (known["text"] != "") & new["text"].notna() & (known["text"] != new["text"])
    if field in (PATIENT, LESION):
        of_archives = _archive(known.loc[other, "text"]) != _archive(new.loc[other, "text"])
        if of_archives.any():
            joined.ties.append(new["text"].fillna(""))
            other[other] = ~of_archives
    _check(joined.path.parent, field, known[other], new[other], keys[other])
    missing = (known["text"] == "") & new["text"].notna()
    if field in (PATIENT, LESION) and missing.any():  # one name for what is spelt differently
        spelt = {_same_id(text): text for text in known["text"].unique()}
        new["text"] = new["text"].map(lambda text: spelt.get(_same_id(text), text), na_action="ignore")
    known.loc[missing] = new.loc[missing, known.columns]
    return int(missing.sum())


def _check(folder: Path, field: str, known: pd.DataFrame, new: pd.DataFrame, key: pd.Series) -> None:
    """Raises ``DataError`` where the texts of two tables, row by row, cannot both be true."""
    differ = _differ(field, known, new)
    if not differ.any():
        return
    named = [
        f"{image} ({old_table} row {old_row}: {old!r}, {table} row {row}: {text!r})"
        for image, (old, old_table, old_row, _), (text, table, row, _) in zip(  # the columns of _values
            key[differ], known[differ].itertuples(index=False), new[differ].itertuples(index=False), strict=True
        )
    ]
    raise DataError(
        f"{folder}: tables contradict each other on the {field} of {counted(len(named), 'image')}: {listed(named, 3)}. "
        "Correct the one that is wrong, or take it out of the folder."
    )


def _differ(field: str, known: pd.DataFrame, new: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether two texts of one field contradict each other, whatever their spelling."""
    if field != SITE:
        same = _MEANINGS.get(field, lambda text: None)
        return _contradict(map_once(known["text"], same), map_once(new["text"], same))
    words = _contradict(map_once(known["text"], _words), map_once(new["text"], _words))
    regions = _contradict(map_once(known["text"], _region), map_once(new["text"], _region))
    return regions | (words & (known["column"].to_numpy() == new["column"].to_numpy()))


def _contradict(old: pd.Series, new: pd.Series) -> NDArray[np.bool_]:
    return (old.notna().to_numpy() & new.notna().to_numpy()) & (old.to_numpy() != new.to_numpy())


def _same_id(text: str) -> str:
    return re.sub(r"\.0+$", "", text.casefold())  # a table that had gaps may have made 7 into 7.0


def sex_of(text: str) -> str:
    """ "male", "female", or another text in lower case."""
    return {"m": "male", "f": "female"}.get(text.lower(), text.lower())


def _age(text: str) -> float | None:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None


def _words(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text.casefold()).strip()


def _region(text: str) -> str | None:
    return _REGIONS.get(_words(text))


def _is_melanoma(diagnosis: str) -> bool | None:
    found = class_of(diagnosis)
    return None if found is None else found == MELANOMA


def _archive(ids: pd.Series) -> pd.Series:
    """Which of the ISIC archive's kinds of ids each is of, ``""`` for those of others."""
    return ids.str.extract(r"^([A-Z]+)\d*_\d{7}$")[0].fillna("")


_MEANINGS: dict[str, Callable[[str], object]] = {
    PATIENT: _same_id,
    LESION: _same_id,
    SEX: sex_of,
    AGE: _age,
    **dict.fromkeys(DIAGNOSIS_COLUMNS, _is_melanoma),
}
"""What two texts of a field have to have in common; None where a text says nothing."""
