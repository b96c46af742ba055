"""Small data sets, written where a test wants them."""

from pathlib import Path

from PIL import Image

from isic_screen.data.tables import DataSet


def put_photos(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 12), (200, 150, 130)).save(path)


def put_table(folder: Path, *lines: str, name: str = "labels.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def put_plain(folder: Path, *lines: str, photos: int = 4) -> Path:
    """A plain folder: photos a.jpg, b.jpg, … and labels.csv."""
    put_photos(folder, *(f"{letter}.jpg" for letter in "abcdefgh"[:photos]))
    put_table(folder, *lines)
    return folder


def targets(data: DataSet) -> dict[str, int]:
    return dict(zip(data.rows["image_id"], data.rows["target"], strict=True))
