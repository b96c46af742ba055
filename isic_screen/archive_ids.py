"""Ids of the ISIC archive and its challenges: they mean the same in every data set."""

import re

ARCHIVE_IDS = re.compile(r"(?:ISIC|IP|IL|HAM|BCN|MSK\d*)_\d{7}")
"""Of photos, patients and lesions."""
_IMAGE = re.compile(r"(?:.*/)?(ISIC_\d{7})(?:_downsampled)?(?:\.\w+)?")


def photo_name(image_id: str) -> str:
    """The archive's id of an image, which is the same in every data set; other ids as they are."""
    match = _IMAGE.fullmatch(image_id)
    return match[1] if match else image_id
