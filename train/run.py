"""Train a screening model: `python train/run.py --data DIR`.

On several GPUs or machines: `accelerate launch --multi_gpu train/run.py --data DIR` (docs/training.md).
"""

import argparse
import logging
import os
import shlex
import signal
import sys
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run from a clone: the package is not installed

import torch  # noqa: E402

from isic_screen import log  # noqa: E402
from isic_screen.compression import BITS, HALF  # noqa: E402
from isic_screen.errors import ScreenError  # noqa: E402
from isic_screen.processes import device_named, launched  # noqa: E402
from isic_screen.progress import say  # noqa: E402
from isic_screen.training.about import load_about  # noqa: E402
from isic_screen.training.earlier_runs import EarlierRun  # noqa: E402
from isic_screen.training.recipe import load_recipe, load_starts  # noqa: E402
from isic_screen.training.run import train  # noqa: E402
from isic_screen.training.setting import Setting, default_cache  # noqa: E402

ABOUT = ROOT / "train" / "about.toml"


def main() -> int:
    """Exit status 0 when the model was written, 2 with a sentence when something the user gave was not usable."""
    parser = _parser()
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a batch system's way to stop a job: as Ctrl-C
    processes = launched()
    log.to_stderr(logging.WARNING if processes.main else logging.ERROR)
    if given.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error("--device cuda: PyTorch finds no CUDA device here; leave --device out to use the CPU")
    if given.resume and given.out is None:
        parser.error("--resume needs the --out of the run to go on with")
    kind = "committee" if given.member else Path(given.recipe or "screen").stem
    default = Path("runs") / f"{kind}-{datetime.now():%Y%m%d-%H%M%S}"
    out = given.out or processes.from_main(default)  # each has its own clock
    try:
        overrides = given.set + ([f'backbone="{given.backbone}"'] if given.backbone else [])
        # Of a committee the recipe says how its folds were drawn and what it is calibrated on.
        named = given.recipe or (str(EarlierRun.of(given.member[0]).recipe_file) if given.member else "screen")
        recipe = load_recipe(named, overrides)
        earlier = given.teacher or given.member
        setting = Setting(
            out=out,
            cache=given.cache,
            device=processes.device or device_named(given.device),
            workers=given.workers,
            resume=given.resume,
            weights=given.backbone_weights or "imagenet",
            split_file=given.split,
            processes=processes,
            teachers=tuple(given.teacher),
            members=tuple(given.member),
            starts=() if earlier else load_starts(recipe, overrides),
            bits=given.bits,
            only=tuple(given.only),
            # As it makes the model from nothing: a run that was resumed is the same run.
            command=f"python {shlex.join(argument for argument in sys.argv if argument != '--resume')}",
        )
        if given.about is None and not given.only:
            say(
                f"Note: what the model file will say of its use, limits, licence and version is in {ABOUT}, which was "
                "written for the bundled model. For other data, give your own with --about FILE."
            )
        train(given.data, recipe, load_about(given.about or ABOUT), setting)
    except ScreenError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # a full disk, a folder that may not be written; the last checkpoint stays whole
        print(f"error: {error.strerror}: {error.filename or out}. Go on with --resume --out {out}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nStopped. Go on with --resume --out {out}", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", action="append", required=True, type=Path, metavar="DIR", help="a data set; repeat it for several"
    )
    parser.add_argument("--recipe", metavar="NAME|FILE", help="default: screen, or that of the first --member")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to write; default: runs/RECIPE-DATE-TIME")
    parser.add_argument("--backbone", metavar="NAME", help="any timm backbone, in place of the recipe's")
    parser.add_argument("--backbone-weights", type=Path, metavar="FILE", help="its weights, in place of ImageNet's")
    parser.add_argument("--split", type=Path, metavar="FILE", help="a split.csv of an earlier run")
    parser.add_argument(
        "--member",
        action="append",
        default=[],
        type=Path,
        metavar="RUN",
        help="train nothing, but put the networks of finished runs on the same folds together; one is judged anew",
    )
    parser.add_argument(
        "--teacher",
        action="append",
        default=[],
        type=Path,
        metavar="RUN",
        help="a finished run on the same folds to start from, or whose answers to learn (`teaching`); repeatable",
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        type=int,
        metavar="FOLD",
        help="train the network of this fold (from 1; 0: of all images) and nothing else; repeatable",
    )
    parser.add_argument("--resume", action="store_true", help="go on with the killed run in --out")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a line of the recipe; repeatable"
    )
    parser.add_argument(
        "--bits", type=int, choices=BITS, default=HALF, help="of large weights; fewer make a smaller model file"
    )
    parser.add_argument("--about", type=Path, metavar="FILE", help="model texts; default: the bundled model's")
    parser.add_argument("--cache", type=Path, default=default_cache(), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="default: %(default)s")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="decoding threads")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
