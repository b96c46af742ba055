"""Sets of photos as large as those of public challenges, which are not at hand: a few real photos under many names."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

CHALLENGE = 33_126
"""Images that ISIC 2020 trains on: up to so many, a set is like it, and like ISIC 2024 beyond."""

TABLE = "ISIC_2020_Training_GroundTruth_v2.csv"
STAND_INS = 60


def make_set(folder: Path, images: int, real: Path) -> dict[str, object]:
    """Make a data set of `images` in `folder`, in the layout of ISIC 2020, from photos of `real`; what it holds.

    Its table is the official one, when `real` has it and it is large enough, else made up.
    """
    random = np.random.default_rng(0)
    photos = folder / "train"
    photos.mkdir(parents=True)
    challenge = images <= CHALLENGE
    table = pd.read_csv(real / TABLE) if challenge and (real / TABLE).is_file() else made_up_table(images, random)
    table = table.head(images)
    table.to_csv(folder / "train.csv", index=False)
    stand_ins = [_stand_in(number, real, challenge, random) for number in range(STAND_INS)]
    sides = []
    for number, picture in enumerate(stand_ins):
        picture.save(folder / f"{number}.jpg", quality=92)
        sides.append(picture.size)
    chosen = random.integers(0, STAND_INS, len(table))
    for name, number in zip(table["image_name"], chosen, strict=True):
        os.link(folder / f"{number}.jpg", photos / f"{name}.jpg")
    sizes_on_disk = [(folder / f"{number}.jpg").stat().st_size for number in range(STAND_INS)]
    for number in range(STAND_INS):
        (folder / f"{number}.jpg").unlink()
    return {
        "melanomas": int(table["target"].sum()),
        "patients": int(table["patient_id"].nunique()),
        "megapixels_an_image": round(float(np.mean([w * h / 1e6 for w, h in sides])), 2),
        "megabytes_an_image": round(float(np.mean(sizes_on_disk)) / 1e6, 3),
    }


def made_up_table(count: int, random: np.random.Generator) -> pd.DataFrame:
    """Labels of the shape of ISIC 2024's: 1 malignant in 1,000, and some 400 images a patient."""
    target = (random.random(count) < 0.001).astype(int)
    return pd.DataFrame(
        {
            "image_name": [f"ISIC_{number:07}" for number in range(count)],
            "patient_id": [f"IP_{number:07}" for number in random.integers(0, max(20, count // 400), count)],
            "sex": random.choice(["male", "female"], count),
            "age_approx": random.integers(4, 17, count) * 5.0,
            "anatom_site_general_challenge": random.choice(["torso", "head/neck", "lower extremity"], count),
            "diagnosis": np.where(target == 1, "melanoma", "unknown"),
            "benign_malignant": np.where(target == 1, "malignant", "benign"),
            "target": target,
        }
    )


def _stand_in(number: int, real: Path, challenge: bool, random: np.random.Generator) -> Image.Image:
    """A real photo at the size of an original of ISIC 2020, or of a tile; a made-up one where there are none."""
    sizes = real / "original_size.csv"
    if challenge and sizes.is_file() and (real / "train.csv").is_file():
        benign = pd.read_csv(real / "train.csv").query("target == 0")["image_name"]
        originals = pd.read_csv(sizes).set_index("image_name").loc[benign]
        row = originals.iloc[len(originals) * number // STAND_INS]
        size = (int(row["width"]), int(row["height"]))
    else:
        side = int(random.integers(100, 200)) if not challenge else 1500
        size = (side, side)
    photos = sorted(real.rglob("*.jpg"))
    if photos:
        with Image.open(photos[number * 7 % len(photos)]) as photo:
            return photo.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    return Image.fromarray(random.integers(0, 255, (size[1] // 16, size[0] // 16, 3), np.uint8)).resize(size)
