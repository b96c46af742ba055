"""Measure what each choice of a recipe is worth: `python train/ablate.py --data DIR … --out DIR`.

Every entry of train/ablation.toml is cross-validated and its held-out scores kept in assets/held_out, so that a killed
run goes on and a single entry can be measured again by deleting its file. The table is made anew from these files. On
other data than the bundled model's all of that goes to --out, and nothing of the project's is touched.
"""

import argparse
import json
import os
import sys
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run from a clone: the package is not installed

import pandas as pd  # noqa: E402
import torch  # noqa: E402

from isic_screen.artifact import load_model  # noqa: E402
from isic_screen.data.tables import DataSet, read_sources  # noqa: E402
from isic_screen.errors import DataError, RecipeError, ScreenError  # noqa: E402
from isic_screen.evaluation.ablation import SHIPPED, compare, table_of  # noqa: E402
from isic_screen.evaluation.camera_probe import probe_camera  # noqa: E402
from isic_screen.processes import device_named  # noqa: E402
from isic_screen.progress import say  # noqa: E402
from isic_screen.training.earlier_runs import EarlierRun  # noqa: E402
from isic_screen.training.experiment import Experiment  # noqa: E402
from isic_screen.training.recipe import FineTuneRecipe, HeadRecipe, load_recipe  # noqa: E402
from isic_screen.training.run import START  # noqa: E402
from isic_screen.training.setting import Setting, default_cache  # noqa: E402
from isic_screen.training.whole_network import WholeNetwork  # noqa: E402
from isic_screen.whole_file import whole_file  # noqa: E402
from isic_screen.wording import listed  # noqa: E402

BASE = "base"
PAPER = "paper"
"""The entry that the shipped model is compared with."""
KEPT = ["source", "image_id", "logit", "camera", "fold"]


def main() -> int:
    """Exit status 0 when the table was written, 2 with a sentence when something was not usable."""
    given = _parser().parse_args()
    try:
        _ablate(given)
    except ScreenError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # a full disk, a folder that may not be written; what was measured is kept
        print(f"error: {error.strerror}: {error.filename or given.out}. Go on by the same command.", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", action="append", required=True, type=Path, metavar="DIR", help="repeat for several")
    parser.add_argument("--entries", type=Path, default=ROOT / "train" / "ablation.toml", metavar="FILE")
    parser.add_argument("--only", action="append", metavar="NAME", help="run these entries; the table takes all found")
    parser.add_argument("--scores", type=Path, metavar="DIR", help="default: assets/held_out, or in --out")
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"), metavar="DIR", help="default: %(default)s")
    parser.add_argument(
        "--shipped",
        type=Path,
        default=Path("runs/bundled"),
        metavar="DIR",
        help="the finished run of the shipped model",
    )
    parser.add_argument(
        "--goes",
        type=Path,
        nargs="+",
        default=[Path("runs/even"), Path("runs/open"), Path("runs/detail")],
        metavar="DIR",
        help="finished runs, whose starts others start from too; default: runs/even runs/open runs/detail",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="default: assets/ablation.json, or in --out")
    parser.add_argument("--table", type=Path, metavar="FILE", help="default: assets/ABLATION.md, or in --out")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for all fine-tuned entries")
    parser.add_argument("--cache", type=Path, default=default_cache(), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="default: %(default)s")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="decoding threads")
    return parser


def _ablate(given: argparse.Namespace) -> None:
    """Measure the entries that have no scores yet, and write the table of all that have."""
    entries = _entries(given.entries)
    if unknown := set(given.only or ()) - set(entries):
        raise RecipeError(f"--only {min(unknown)}: {given.entries} has {listed(list(entries), 99)}.")
    data = read_sources(given.data)
    # What the project holds is of the bundled model's data: scores of other photos would not belong there.
    known = data.hashes == load_model().facts.training["table_sha256"]
    where = ROOT / "assets" if known else given.out
    given.scores = given.scores or where / "held_out"
    given.json = given.json or where / "ablation.json"
    given.table = given.table or where / "ABLATION.md"
    for name, entry in entries.items():
        if given.only and name not in given.only:
            continue
        if not (file := _file(given, name)).is_file() and not entry.get("kept"):
            say(f"== {name}: {entry['why']}")
            _keep(_cross_validate(name, entry, entries[BASE], data, given), file)
    if (shipped := given.shipped / "predictions.csv").is_file():
        _keep(_scores(shipped), _file(given, SHIPPED))
    files = {name: _file(given, name) for name in (SHIPPED, *entries)}
    scores = {name: _scores(file) for name, file in files.items() if file.is_file()}
    if not scores:
        raise DataError(f"There are no scores in {given.scores} to make a table of: leave --only out.")
    results = compare(scores, data.rows, against=_compared(scores, entries))
    for name, result in results.items():
        entry = entries.get(name, {"why": "the bundled model"})
        result |= {"why": entry["why"], "set": entry.get("set", {})}
    texts = {given.json: json.dumps(results, indent=1, allow_nan=False) + "\n", given.table: table_of(results)}
    for file, text in texts.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(file) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    say(f"Wrote {given.json} and {given.table}")


def _compared(names: Collection[str], entries: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The entry that each of `names`, which have scores, is compared with; some with none."""
    wanted = {name: PAPER if name == SHIPPED else entries[name].get("against", BASE) for name in names}
    wanted = {name: other for name, other in wanted.items() if other not in ("", name)}
    if lacking := sorted(set(wanted.values()) - set(names)):
        say(f"Warning: no scores of {listed(lacking)} to compare with; what would be has its own figures alone.")
    return {name: other for name, other in wanted.items() if other in names}


def _entries(file: Path) -> dict[str, dict[str, Any]]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecipeError(f"{file} cannot be read as a table of entries: {error}.") from error


def _scores(file: Path) -> pd.DataFrame:
    return pd.read_csv(file, dtype={"source": str, "image_id": str})


def _file(given: argparse.Namespace, name: str) -> Path:
    """Where the held-out scores of an entry are."""
    scores: Path = given.scores
    return scores / f"{name}.csv.gz"


def _keep(held_out: pd.DataFrame, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    # Without the time of writing, and by its final name, so that the same scores are the same file.
    compression = {"method": "gzip", "mtime": 0, "filename": file.name}
    with whole_file(file) as unfinished, unfinished.open("wb") as opened:
        held_out[KEPT].to_csv(opened, index=False, float_format="%.6g", compression=compression)


def _cross_validate(
    name: str, entry: dict[str, Any], base: dict[str, Any], data: DataSet, given: argparse.Namespace
) -> pd.DataFrame:
    """Held-out scores of every image."""
    own_recipe = "recipe" in entry
    lines = entry.get("set", {}) if own_recipe else base.get("set", {}) | entry.get("set", {})
    overrides = [f"{key}={json.dumps(value)}" for key, value in lines.items()]
    recipe_name = entry.get("recipe", base["recipe"])
    recipe = load_recipe(recipe_name, overrides)
    out = given.out / name
    out.mkdir(parents=True, exist_ok=True)
    split = _split_of(entry["folds"], given) if "folds" in entry else None
    setting = Setting(
        out,
        given.cache,
        device_named(given.device),
        given.workers,
        resume=True,
        weights="imagenet" if entry.get("pretrained", True) else None,
        split_file=split,
    )
    if isinstance(recipe, HeadRecipe):
        return _with_camera(Experiment.prepare(data, recipe, setting))
    recipe = load_recipe(recipe_name, [*overrides, *given.set])
    if not isinstance(recipe, FineTuneRecipe):
        raise TypeError(f"a recipe of an unknown kind: {type(recipe).__name__}")
    if recipe.from_teacher:
        setting = replace(setting, teachers=(start_of(recipe, given.goes),))
    run = WholeNetwork.prepare(data, recipe, setting)
    return run.cross_validate(run.folds(), with_novelty=False)


def _split_of(name: str, given: argparse.Namespace) -> Path:
    """A split file of the folds of another entry, for one whose seed would draw others.

    Raises RecipeError when that entry was not run yet.
    """
    if not (scores := _file(given, name)).is_file():
        raise RecipeError(f"{scores} is not there, whose folds another entry takes: run --only {name} first.")
    file: Path = given.out / f"folds-of-{name}.csv"
    _scores(scores).rename(columns={"fold": "part"})[["image_id", "source", "part"]].to_csv(file, index=False)
    return file


def start_of(recipe: FineTuneRecipe, runs: Sequence[Path]) -> Path:
    """The run by the recipe's `start_recipe` among those that `runs` went on from, each of which holds its own start.

    Raises RecipeError when there is none.
    """
    wanted = load_recipe(recipe.start_recipe)
    for folder in runs:
        while (folder := folder / START).is_dir():
            if EarlierRun.of(folder).recipe == wanted:
                return folder
    raise RecipeError(
        f"None of {', '.join(map(str, runs))} went on from a run by the recipe {recipe.start_recipe}: "
        "name one that did (--goes)."
    )


def _with_camera(run: Experiment) -> pd.DataFrame:
    """Held-out scores of heads on a frozen backbone, whose features are probed fold by fold as the others are."""
    held_out = run.cross_validate().assign(camera=float("nan"))
    if run.features is not None:
        for _, part in held_out.groupby("fold"):
            features = run.features.plain[part.index.to_numpy()]
            held_out.loc[part.index, "camera"] = probe_camera(features, part, seed=run.recipe.seed)
    return held_out


if __name__ == "__main__":
    raise SystemExit(main())
