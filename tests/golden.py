"""Golden outputs: what the bundled model says of drawn photos, so that a change is seen that nobody meant.

    python -m tests.golden

writes tests/golden.json anew. Do that with a new model or on purpose, and say so in the commit.
"""

import json
from pathlib import Path
from typing import Any

from PIL import Image

from isic_screen import Screener
from isic_screen.screener import Screening
from tests.conftest import ROOT

FILE = ROOT / "tests" / "golden.json"
EXAMPLES = ROOT / "assets" / "examples"


def drawn() -> dict[str, Image.Image]:
    """Five photos, the same on every machine: the drawn examples, two of them also turned and made smaller."""
    found: dict[str, Image.Image] = {}
    for path in sorted(EXAMPLES.glob("*.jpg")):
        with Image.open(path) as picture:
            found[path.stem] = picture.convert("RGB")
    for name in sorted(found)[:2]:
        turned = found[name].transpose(Image.Transpose.ROTATE_90)
        found[f"{name}-turned"] = turned.resize((turned.width // 2, turned.height // 2), Image.Resampling.BOX)
    return found


def told(screening: Screening) -> dict[str, Any]:
    """What is held against the file: the network's own numbers, before anything is rounded for show."""
    return {
        "logit": round(screening.logit, 5),
        "probability": round(screening.probability, 7),
        "novelty": None if screening.novelty is None else round(screening.novelty, 4),
        "verdict": screening.quality.verdict,
        "heat_map": [[round(float(value), 3) for value in row] for row in screening.heat_map],
    }


def main(file: Path = FILE) -> None:
    screener = Screener()
    golden = {name: told(screener.screen(photo)) for name, photo in drawn().items()}
    text = json.dumps({"model": screener.model.sha256, "photos": golden}, indent=1)
    file.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
