"""The names by which tables call images: with or without folder and suffix, of any system, in any Unicode form."""

import os
import unicodedata

from isic_screen.archive_ids import photo_name
from isic_screen.photo import PHOTO_SUFFIXES

IMAGE_COLUMNS = (
    "image_name",
    "image_id",
    "isic_id",
    "image",
    "img_id",
    "bcn_filename",
    "filename",
    "file_name",
    "file",
    "path",
    "id",
)


def plain_path(name: str) -> str:
    """``name`` with "/" between folders and its letters composed (NFC): macOS writes them apart (NFD)."""
    return unicodedata.normalize("NFC", name.replace("\\", "/")).removeprefix("./")


def without_suffix(name: str) -> tuple[str, str]:
    """``name`` and its suffix, if it is one of a photo: an id may have a point in it."""
    stem, suffix = os.path.splitext(name)
    return (stem, suffix) if suffix.lower() in PHOTO_SUFFIXES else (name, "")


def image_key(name: str) -> str:
    """What an image is called in any table: its path without suffix; of the ISIC archive's photos the id alone."""
    return photo_name(without_suffix(plain_path(name))[0])
