"""Finding the label table and the photos in a data folder, however it was unpacked.

| download | table | photos |
|---|---|---|
| ISIC 2020, official | ``ISIC_2020_Training_GroundTruth_v2.csv`` (or without ``_v2``) | ``train/`` |
| ISIC 2020, Kaggle | ``train.csv`` | ``jpeg/train/`` (``train/`` holds DICOM files, which are not read) |
| HAM10000 | ``HAM10000_metadata`` (``.csv`` or ``.tab``) | ``HAM10000_images_part_1/``, ``_part_2/`` or ``images/`` |
| ISIC archive (``isic image download``) | ``metadata.csv`` | beside it |
| anything else | the only label table in the folder | anywhere below it |
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from isic_screen.data.labels import IMAGE_COLUMNS, TARGET_COLUMNS, is_label_table
from isic_screen.errors import DataError
from isic_screen.photo import PHOTO_SUFFIXES
from isic_screen.wording import listed

# When a folder holds several label tables the first of these wins. ``train.csv`` comes before the official table:
# where both lie in a folder, the official one is the complete list and train.csv names the images that are there.
TABLE_NAMES = (
    "train.csv",
    "isic_2020_training_groundtruth_v2.csv",
    "isic_2020_training_groundtruth.csv",
    "ham10000_metadata.csv",
    "ham10000_metadata.tab",
    "ham10000_metadata",
    "labels.csv",
    "metadata.csv",
)
TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".tab"})
MASKS = re.compile(r"mask|segmentation|superpixel", re.IGNORECASE)  # pictures, but not photos
SET_ASIDE = re.compile(r"(?<![a-z])test(?![a-z])", re.IGNORECASE)  # photos that a training table rightly does not name


def find_table(folder: Path) -> tuple[Path, list[Path]]:
    """The label table of a folder, and the other label tables in it, which are not read.

    Raises ``DataError`` when there is none, or several of which none has a name we know.
    """
    paths = sorted(path for path in _entries(folder) if path.is_file())
    files = [path for path in paths if path.suffix.lower() in TABLE_SUFFIXES or path.name.lower() in TABLE_NAMES]
    known = sorted((path for path in files if path.name.lower() in TABLE_NAMES), key=_preference)
    others = [path for path in files if path not in known and "submission" not in path.name.lower()]
    others = [path for path in others if is_label_table(path)]
    usable = [path for path in known if is_label_table(path)]
    if not usable and len(others) > 1:
        raise DataError(
            f"{folder} has several label tables ({listed(path.name for path in others)}): "
            "give the path of the one to use instead of the folder's."
        )
    # A faulty table with a known name comes last, but it does come, so that its fault is told.
    candidates = usable + others + [path for path in known if path not in usable]
    if not candidates:
        seen = f"its tables are {listed(path.name for path in files)}" if files else "it holds no CSV file"
        raise DataError(
            f"{folder} has no label table: a CSV file with an image column (such as {', '.join(IMAGE_COLUMNS[:3])}) "
            f"and a target column (such as {', '.join(TARGET_COLUMNS[:3])}) is needed in it; {seen}."
        )
    return candidates[0], candidates[1:]


def _preference(path: Path) -> int:
    return TABLE_NAMES.index(path.name.lower())


def _entries(folder: Path) -> list[Path]:
    if not folder.exists():
        raise DataError(f"{folder} does not exist.")
    if not folder.is_dir():
        raise DataError(f"{folder} is neither a folder nor a table.")
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror or error}.") from error


@dataclass(frozen=True)
class PhotoIndex:
    """The photos below a folder, to be found by file name or by any tail of their path, with or without suffix."""

    photos: tuple[PurePosixPath, ...]
    by_tail: dict[str, list[PurePosixPath]]

    def find(self, name: str) -> list[PurePosixPath]:
        """The photos that a table's ``name`` can mean, relative to the folder; the likeliest first."""
        stem, suffix = _without_suffix(name.replace("\\", "/").removeprefix("./"))
        found = self.by_tail.get(stem, [])
        # A table may say .jpg of photos that were converted to .png, so the suffix only decides between several.
        return [photo for photo in found if photo.suffix == suffix] or found

    def without_row(self, used: set[PurePosixPath]) -> Sequence[PurePosixPath]:
        """Photos not in ``used``, but for those of test folders and second copies of a used one."""
        stems = {photo.stem for photo in used}
        return [
            photo
            for photo in self.photos
            if photo not in used
            and photo.stem not in stems
            and not any(SET_ASIDE.search(part) for part in photo.parts[:-1])
        ]


def index_photos(folder: Path) -> PhotoIndex:
    """Every photo below ``folder``; links are followed, hidden folders and lesion masks left out."""
    found: list[PurePosixPath] = []
    entered: set[str] = set()
    for directory, subfolders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(directory)
        if real in entered:  # a link that leads back up would never end
            subfolders.clear()
            continue
        entered.add(real)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith(".") and not MASKS.search(name))
        relative = PurePosixPath(Path(directory).relative_to(folder).as_posix())
        found += [
            relative / name
            for name in files
            if os.path.splitext(name)[1].lower() in PHOTO_SUFFIXES and not name.startswith(".")
        ]
    # Of several photos with one name: not one of a test folder, then the one nearest the top, then by path.
    found.sort(key=lambda photo: (bool(SET_ASIDE.search(str(photo.parent))), len(photo.parts), str(photo)))
    by_tail: dict[str, list[PurePosixPath]] = {}
    for photo in found:
        parts = (*photo.parts[:-1], photo.stem)
        for start in range(len(parts)):
            by_tail.setdefault("/".join(parts[start:]), []).append(photo)
    return PhotoIndex(tuple(found), by_tail)


def _without_suffix(name: str) -> tuple[str, str]:
    stem, suffix = os.path.splitext(name)
    return (stem, suffix) if suffix.lower() in PHOTO_SUFFIXES else (name, "")
