"""What the bundled model says of five drawn photos, in tests/golden.json.

    python -m tests.golden

Run it after a change of the model or of the way from file to network that is meant; test_same_answer.py compares.
"""

import io
import json
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from isic_screen.photo import open_photo
from isic_screen.screener import Screener, Screening
from tests.conftest import ROOT

FILE = Path(__file__).with_name("golden.json")


def photo_files() -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of the three drawn example files, one of them large, and one as PNG and turned by its EXIF tag."""
    drawn = sorted((ROOT / "assets" / "examples").glob("*.jpg"))
    for file in drawn:
        yield file.name, file.read_bytes()
    with Image.open(drawn[0]) as photo:
        # Large enough to be reduced while it is decoded.
        yield "large.jpg", _saved(photo.resize((2000, 1500), Image.Resampling.BICUBIC), "JPEG")
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(drawn[-1]) as photo:
        yield "turned.png", _saved(photo.resize((300, 200), Image.Resampling.BICUBIC), "PNG", exif=exif)


def told(screening: Screening) -> dict[str, object]:
    """A screening as golden.json holds it."""
    return {
        "logit": round(screening.logit, 5),
        "probability": round(screening.probability, 7),
        "novelty": None if screening.novelty is None else round(screening.novelty, 4),
        "quality": screening.quality.verdict,
        "heat_map": [[round(float(value), 4) for value in row] for row in screening.heat_map],
    }


def _saved(photo: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    photo.save(buffer, kind, **({"quality": 95} if kind == "JPEG" else {}), **options)
    return buffer.getvalue()


def main() -> None:
    screener = Screener()
    answers = {name: told(screener.screen(open_photo(data))) for name, data in photo_files()}
    golden = {"model_sha256": screener.model.sha256, "photos": answers}
    FILE.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
