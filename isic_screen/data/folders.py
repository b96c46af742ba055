"""Finding the label table and the photos in a data folder, however it was unpacked.

| download | table | photos |
|---|---|---|
| ISIC 2020, official | ``ISIC_2020_Training_GroundTruth_v2.csv`` (or without ``_v2``) | ``train/`` |
| ISIC 2020, Kaggle | ``train.csv`` | ``jpeg/train/`` (``train/`` holds the same photos as DICOM) |
| HAM10000 | ``HAM10000_metadata`` (``.csv`` or ``.tab``) | ``HAM10000_images_part_1/``, ``_part_2/`` or ``images/`` |
| ISIC archive (``isic image download``) | ``metadata.csv`` | beside it |
| anything else | the only label table in the folder, CSV or Excel | anywhere below it |
| a folder per class | none: see class_folders.py | in folders called benign, melanoma, nevus, … |
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from isic_screen.data.duplicates import DUPLICATES_NAME
from isic_screen.data.image_names import IMAGE_COLUMNS, plain_path, without_suffix
from isic_screen.data.joined import is_joinable
from isic_screen.data.labels import header_of, is_label_table
from isic_screen.data.table_files import TABLE_SUFFIXES
from isic_screen.data.targets import ARCHIVE_COLUMNS, STATED_COLUMNS, TARGET_COLUMNS
from isic_screen.errors import DataError
from isic_screen.files import ARCHIVE_SUFFIXES, PICTURE_SUFFIXES, PassedOver, look_through
from isic_screen.photo import DICOM_SUFFIXES, PHOTO_SUFFIXES
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
SIDE_TABLES = ("original_size.csv", "skin_tone.csv")  # made for this project, read by tables.py
MASKS = re.compile(r"mask|segmentation|superpixel", re.IGNORECASE)  # pictures, but not photos
SET_ASIDE = re.compile(r"(?<![a-z])test(?![a-z])", re.IGNORECASE)  # photos that a training table rightly does not name


def find_table(folder: Path) -> tuple[Path | None, list[Path]]:
    """The label table of a folder, None where it has none, and the other label tables in it.

    Raises ``DataError`` when there are several of which none has a name we know.
    """
    files = tables_in(folder)
    known = sorted((path for path in files if path.name.lower() in TABLE_NAMES), key=_preference)
    others = [path for path in files if path not in known and "submission" not in path.name.lower()]
    others = [path for path in others if is_label_table(path)]
    usable = [path for path in known if is_label_table(path)]
    # ISIC 2024 has a table of diagnoses beside the labels: it is joined to these.
    first = [path for path in others if states_target(path)] or others
    if not usable and len(first) > 1:
        raise DataError(
            f"{folder} has several label tables ({listed(path.name for path in first)}): "
            "give the path of the one to use instead of the folder's."
        )
    others = first + [path for path in others if path not in first]
    # A faulty table with a known name comes last, but it does come, so that its fault is told.
    candidates = usable + others + [path for path in known if path not in usable]
    return (candidates[0], candidates[1:]) if candidates else (None, [])


def states_target(path: Path) -> bool:
    """Whether a table states a target, rather than diagnoses only."""
    return not set(STATED_COLUMNS).difference(ARCHIVE_COLUMNS).isdisjoint(header_of(path))


def tables_in(folder: Path) -> list[Path]:
    """The tables of a folder, not of those below it; without hidden ones and what Excel and macOS leave beside them."""
    paths = sorted(path for path in _entries(folder) if path.is_file() and not path.name.startswith((".", "~$")))
    return [path for path in paths if path.suffix.lower() in TABLE_SUFFIXES or path.name.lower() in TABLE_NAMES]


def joinable_tables(table: Path | None, folder: Path) -> list[Path]:
    """The tables of ``folder`` that may know more of the images of its label ``table``."""
    passed_over = (DUPLICATES_NAME, *SIDE_TABLES)
    return [
        path
        for path in tables_in(folder)
        if path.name.lower() not in passed_over
        and "submission" not in path.name.lower()
        and (table is None or path.name != table.name)
        and is_joinable(header_of(path))
    ]


def no_table(folder: Path) -> DataError:
    """What to say of a folder without label table and without folders called as classes."""
    needed = (
        f"{folder} has no label table: a CSV or Excel file with an image column (such as "
        f"{', '.join(IMAGE_COLUMNS[:3])}) and a target column (such as {', '.join(TARGET_COLUMNS[:3])}) is needed in it"
    )
    if below := tables_below(folder):
        return DataError(
            f"{needed}; one level down lies {listed(path.relative_to(folder) for path in below)}. Move it, and what "
            f"tables lie beside it, into {folder}, or give {below[0].parent} if its photos are there too."
        )
    files = tables_in(folder)
    seen = f"its tables are {listed(path.name for path in files)}" if files else "it holds no CSV file"
    return DataError(f"{needed}; {seen}, and no folder in it is called as a class, such as benign or nevus.")


def tables_below(folder: Path) -> list[Path]:
    """The label tables in the folders of ``folder``."""
    folders = sorted(path for path in _entries(folder) if path.is_dir() and not path.name.startswith("."))
    return [path for below in folders for path in tables_in(below) if is_label_table(path)]


def in_containers(folder: Path) -> str:
    """What to do about photos that are still packed into a file in ``folder`` or one level below it."""
    packed = sorted(path for pattern in ("*", "*/*") for path in folder.glob(pattern) if path.is_file())
    if arrays := [path for path in packed if path.suffix.lower() in (".hdf5", ".h5")]:
        return (
            f"{listed(path.relative_to(folder) for path in arrays)} may hold them, but HDF5 is not read. Give the JPEG "
            "files (in Kaggle's download of ISIC 2024 they are in train-image/image), or write each entry to a file: "
            "docs/training.md has the lines."
        )
    zips = [path for path in packed if path.suffix.lower() in ARCHIVE_SUFFIXES]
    named = f" {listed(path.relative_to(folder) for path in zips)}" if zips else " the photos"
    return f"Unpack{named} into this folder, or give the folder with the photos."


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
    unread: tuple[PurePosixPath, ...]
    """Pictures of kinds that are not read, and archives, which may hold photos."""
    passed_over: PassedOver

    def find(self, name: str) -> list[PurePosixPath]:
        """The photos that a table's ``name`` can mean, relative to the folder; the likeliest first."""
        stem, suffix = without_suffix(plain_path(name))
        found = self.by_tail.get(stem, [])
        if "/" in stem:  # the whole path is there
            found = [photo for photo in found if len(photo.parts) == stem.count("/") + 1] or found
        # A table may say .jpg of photos that were converted to .png, so the suffix only decides between several.
        # Kaggle's ISIC 2020 has each photo as JPEG and as DICOM: unless the table says DICOM, it is the JPEG.
        of_suffix = [photo for photo in found if photo.suffix == suffix]
        return of_suffix or [photo for photo in found if not _is_dicom(photo)] or found

    def without_row(self, used: set[PurePosixPath]) -> Sequence[PurePosixPath]:
        """Photos not in ``used``, but for those of test folders and second copies of a used one."""
        stems = {photo.stem for photo in used}
        return [
            photo
            for photo in self.photos
            if photo not in used and photo.stem not in stems and not in_test_folder(photo)
        ]


def in_test_folder(photo: PurePosixPath) -> bool:
    """Whether a photo is set aside for a test, by the name of a folder."""
    return any(SET_ASIDE.search(part) for part in photo.parts[:-1])


def index_photos(folder: Path) -> PhotoIndex:
    """Every photo below ``folder``, by the rule of files.py; lesion masks are left out."""
    contents = look_through(folder, leave=MASKS.search)
    found = [file for file in contents.files if _is_read(file)]
    # Of several photos with one name: not one of a test folder, then not the DICOM file that a JPEG was made of, then
    # the one nearest the top, then by path.
    found.sort(
        key=lambda photo: (bool(SET_ASIDE.search(str(photo.parent))), _is_dicom(photo), len(photo.parts), str(photo))
    )
    by_tail: dict[str, list[PurePosixPath]] = {}
    for photo in found:
        parts = (*photo.parts[:-1], without_suffix(photo.name)[0])
        for start in range(len(parts)):
            by_tail.setdefault(plain_path("/".join(parts[start:])), []).append(photo)
    unread = tuple(sorted(file for file in contents.files if not _is_read(file)))
    return PhotoIndex(tuple(found), by_tail, unread, contents.passed_over)


def _is_dicom(photo: PurePosixPath) -> bool:
    return photo.suffix.lower() in DICOM_SUFFIXES or photo.suffix.lower() not in PHOTO_SUFFIXES


def _is_read(file: PurePosixPath) -> bool:
    """Whether a file that is looked at may be a photo: it is called one, or is one that is called nothing."""
    suffix = file.suffix.lower()
    return suffix in PHOTO_SUFFIXES or suffix not in PICTURE_SUFFIXES | ARCHIVE_SUFFIXES
