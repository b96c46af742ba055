"""An upload, and the name by which its sender knows it. No Gradio."""

from pathlib import Path
from typing import Self

from isic_screen.archive import clean


class Upload(str):
    """The path of an upload that knows the name its sender gave it: on the disk it has one with fewer signs."""

    given: str

    @classmethod
    def of(cls, path: str, given: str | None) -> Self:
        """`given` may be anything; without it, it is the file's own name."""
        upload = cls(path)
        upload.given = given or Path(path).name
        return upload


def given_name(path: str) -> str:
    """By which a visitor knows a file, fit to be shown."""
    return clean(path.given if isinstance(path, Upload) else Path(path).name)
