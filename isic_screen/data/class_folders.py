"""A folder per class in place of a table: ``benign/ malignant/`` or ``melanoma/ nevus/ …``, also in ``train/``.

The class of a photo is the nearest folder above it that has the name of one. What lies in a test folder is left out, as
the photos of a test folder are that no table names.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pandas as pd

from isic_screen.data.diagnoses import DIAGNOSES, class_of, is_exact_name
from isic_screen.data.folders import PhotoIndex, in_test_folder
from isic_screen.data.labels import Labels, labels_of
from isic_screen.errors import DataError
from isic_screen.wording import counted, listed

_PARTS = frozenset(
    {"train", "training", "val", "valid", "validation", "data", "images", "image", "photos", "jpg", "jpeg"}
)


def read_class_folders(folder: Path, index: PhotoIndex, others: Sequence[Path]) -> Labels | None:
    """The labels that the names of folders below ``folder`` give its photos; None where none is called as a class.

    ``others`` are tables that know more of the photos. Raises ``DataError`` where other folders are not called so, or
    where all photos are those of test folders.
    """
    if not any(_class_folder(photo) for photo in index.photos):
        return None
    kept = [photo for photo in index.photos if not in_test_folder(photo)]
    if not kept:
        raise DataError(f"{folder} has photos in test folders only. To use these, give the test folder itself.")
    unknown = {str(photo.parent) for photo in kept if not _class_folder(photo) and not _is_loose(photo)}
    if unknown:
        raise DataError(
            f"{folder} has no label table, and of its folders of photos {listed(sorted(unknown))} "
            f"{'is' if len(unknown) == 1 else 'are'} not called as a class. Known are melanoma, not melanoma, "
            f"malignant, benign, the codes {', '.join(DIAGNOSES)} and names such as nevus or basal cell carcinoma. "
            "Rename the others, move them away, or add a table."
        )
    classes = {str(photo): name for photo in kept if (name := _class_folder(photo))}
    table = pd.DataFrame({"image": list(classes), "class": list(classes.values())}, dtype="str")
    listing = "\n".join(f"{photo}\t{name}" for photo, name in sorted(classes.items()))
    sha256 = hashlib.sha256(listing.encode()).hexdigest()
    labels = labels_of(folder, table.set_index("image", drop=False), others, sha256)
    if aside := len(index.photos) - len(kept):
        tests = sorted({str(photo.parent) for photo in index.photos if in_test_folder(photo)})
        told = f"{counted(aside, 'photo')} in test folders left out ({listed(tests)}): give that folder to use them."
        labels = replace(labels, warnings=(*labels.warnings, told))
    return labels


def _class_folder(photo: PurePosixPath) -> str | None:
    """What the nearest folder above a photo says of its class, or one further up that is called exactly as a class."""
    folders = [part for part in reversed(photo.parts[:-1]) if part.casefold() not in _PARTS]
    for place, name in enumerate(folders):
        if class_of(name) is not None if place == 0 else is_exact_name(name):
            return name
        whole = r"(?![^\W_])" if place == 0 else "$"  # the nearest may go on, as in "benign lesions"
        if match := re.match(f"(benign|malignant){whole}", name, re.IGNORECASE):
            return match[1].lower()
    return None


def _is_loose(photo: PurePosixPath) -> bool:
    """Whether a photo lies outside all folders but those that only divide a data set."""
    return all(part.casefold() in _PARTS for part in photo.parts[:-1])
