"""From a JPEG's bytes to the network's input: `open_photo`, which lets the decoder reduce, against decoding in full.

    python -m benchmarks.decode [--photo FILE] [--repeats N]

The photo is enlarged to 24 megapixels and reduced to 512 pixels, saved as JPEG, and read both ways in turns. Both end
with the resize that the network needs. Writes benchmarks/results/decode.json.
"""

import argparse
from functools import partial
from io import BytesIO
from pathlib import Path

from PIL import Image

from benchmarks.measure import ROOT, alternate, run, write_result
from isic_screen.photo import open_photo

INPUT = (224, 224)
SIZES = {"24 megapixels": (6000, 4000), "512 pixels": (512, 512)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", type=Path, default=default_photo(), help="default: a real photo, or an example")
    parser.add_argument("--repeats", type=int, default=15)
    given = parser.parse_args()
    result: dict[str, object] = {"repeats": given.repeats}
    for name, size in SIZES.items():
        data = jpeg(given.photo, size)
        draft, full = alternate(partial(_as_we_do, data), partial(_in_full, data), given.repeats)
        result[name] = {
            "bytes": len(data),
            "draft_ms": round(1000 * draft, 2),
            "full_ms": round(1000 * full, 2),
            "ratio": round(full / draft, 2),
        }
    write_result("decode", result)


def _as_we_do(data: bytes) -> Image.Image:
    return open_photo(data).resize(INPUT, Image.Resampling.BICUBIC)


def _in_full(data: bytes) -> Image.Image:
    with Image.open(BytesIO(data)) as image:
        return image.convert("RGB").resize(INPUT, Image.Resampling.BICUBIC)


def jpeg(photo: Path, size: tuple[int, int]) -> bytes:
    buffer = BytesIO()
    open_photo(photo).resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def default_photo() -> Path:
    real = ROOT.parent / "shared" / "data" / "photos" / "ISIC_0000390.jpg"
    return real if real.is_file() else ROOT / "assets" / "examples" / "synthetic-irregular-lesion.jpg"


if __name__ == "__main__":
    run(main)
