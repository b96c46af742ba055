"""Write the exact folder to push to a Hugging Face Space.

    python -m deploy.build_space OUT

OUT must be new or empty. It gets what the page needs when it runs, and what its README and model card show and link to;
no tests, no runs, no caches.
"""

import argparse
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from isic_screen.errors import ScreenError

ROOT = Path(__file__).resolve().parents[1]
LARGEST = 10 * 10**6
"""Bytes of a file that a Space takes without Git LFS."""
CONTENTS = (
    "README.md",
    "LICENSE",
    "app.py",
    "requirements.txt",
    "isic_screen/**/*",
    "assets/*.css",
    "assets/*.js",
    "assets/examples/*.jpg",
    "assets/model.safetensors",
    "assets/*.md",
    "assets/screenshots/*.png",
    "assets/benchmarks/*.png",
    "assets/evaluation/report.md",
    "assets/evaluation/figures/*.png",
    "SECURITY.md",
    "docs/*.md",
    "train/about.toml",
    "train/recipes/*.toml",
    "deploy/requirements.lock",
    "benchmarks/results/load.json",
)
_LEFT_OUT = {"__pycache__"}
NOTE = """
> This folder holds the page, the command line and the model. What the documents say of training, tests, benchmarks and
> Docker needs the whole repository.
"""
"""What its README says first, as it names commands that cannot be run here."""


class SpaceError(ScreenError):
    """A folder that cannot be written, or would be refused when it is pushed."""


def build_space(out: Path, root: Path = ROOT) -> list[Path]:
    """Copy CONTENTS of the clone `root` to `out`, the README with NOTE; the files, relative to it, sorted.

    SpaceError, before anything is written, where `out` holds something, a part is missing, a file is too large or the
    README has no front matter.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SpaceError(f"{out} is not empty: name a new folder, so that nothing old is pushed with the rest.")
    files = sorted(set(_files(root)))
    for file in files:
        size = (root / file).stat().st_size
        if size > LARGEST:
            raise SpaceError(f"{file} has {size / 1e6:.1f} MB: a Space takes files of up to 10 MB without Git LFS.")
    before, *front_and_text = (root / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    if before or len(front_and_text) != 2:
        raise SpaceError("README.md does not begin with the front matter that configures a Space.")
    for file in files:
        (out / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / file, out / file)
    front, text = front_and_text
    (out / "README.md").write_text(f"---\n{front}---\n{NOTE}{text}", encoding="utf-8")
    return files


def _files(root: Path) -> Iterator[Path]:
    for pattern in CONTENTS:
        found = [path.relative_to(root) for path in root.glob(pattern) if path.is_file()]
        if not found:
            raise SpaceError(f"{root} has no {pattern}: run this in a whole clone.")
        for path in found:
            if not any(part in _LEFT_OUT or part.startswith(".") for part in path.parts):
                yield path


def main(arguments: list[str] | None = None) -> int:
    """Exit status 2 with a sentence when the folder cannot be written."""
    parser = argparse.ArgumentParser(description="Write the exact folder to push to a Hugging Face Space.")
    parser.add_argument("out", type=Path, metavar="OUT", help="a new or empty folder")
    out = parser.parse_args(arguments).out
    try:
        files = build_space(out)
    except ScreenError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    total = sum((out / file).stat().st_size for file in files)
    print(f"{len(files)} files, {total / 1e6:.1f} MB, written to {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
