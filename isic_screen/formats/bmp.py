"""BMP files."""

from PIL import BmpImagePlugin

from isic_screen.errors import PhotoError
from isic_screen.formats.photo_file import PhotoFile, unpack


def read_bmp(data: bytes) -> PhotoFile:
    if unpack("<I", data, 14) >= 40 and unpack("<I", data, 30) in (1, 2):
        # Pillow decodes these in Python, a byte at a time.
        raise PhotoError(
            "is a run-length compressed BMP, which is not read here. Save it as PNG or JPEG and try again."
        )
    return PhotoFile(BmpImagePlugin.BmpImageFile, data)
