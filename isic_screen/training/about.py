"""What a model says about itself beside what training measures: the texts of train/about.toml."""

import tomllib
from pathlib import Path
from typing import Any

from isic_screen.errors import RecipeError

TEXTS = ("name", "version", "intended_use", "licence", "citation")


def load_about(file: Path) -> dict[str, Any]:
    """The texts, with `limits` as a tuple of sentences; RecipeError when the file cannot be read or one is missing."""
    try:
        about = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{file} cannot be read: {error}.") from error
    wrong = [key for key in TEXTS if not isinstance(about.get(key), str)]
    limits = about.get("limits")
    if not isinstance(limits, list) or not all(isinstance(limit, str) for limit in limits):
        wrong.append("limits")
    if wrong:
        raise RecipeError(f"{file}: {', '.join(wrong)} missing, or no text. train/about.toml has every key.")
    return {**{key: about[key] for key in TEXTS}, "limits": tuple(about["limits"])}
