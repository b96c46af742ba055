"""Command line: `python -m isic_screen screen|evaluate …`."""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from math import isclose
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from isic_screen import log
from isic_screen.errors import PhotoError, ScreenError

if TYPE_CHECKING:
    import torch

    from isic_screen.artifact import Model
    from isic_screen.batch import ScreensPhotos
    from isic_screen.ensemble import Ensemble
    from isic_screen.export import Resumed

UNREADABLE_PHOTOS = 3
"""Exit status when some photo could not be read; 0 when every one was scored, 2 when the command itself failed."""

CLOSED_PIPE = 141
"""Exit status where standard output was closed early, as of a command that SIGPIPE ended."""

SAME_PROBABILITY = 1e-3
"""Share by which a probability may differ where one model computes it twice: rounding alone is a hundredth of it."""

_UNMEASURED = (
    "The ensemble's own operating point has not been measured: `python -m isic_screen evaluate` does that, on photos "
    "with known diagnoses."
)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; the exit status, 2 with a sentence on standard error when it could not be done."""
    given = _parser().parse_args(arguments)
    log.to_stderr()
    try:
        return given.run(given)
    except ScreenError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # who reads our standard output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it once more at the end
        return CLOSED_PIPE
    except OSError as error:  # an output that cannot be written; photos and models raise errors of ours
        where = f": {error.filename}" if error.filename else ""  # writing to an open file names none
        print(f"error: {error.strerror or error}{where}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m isic_screen",
        description="Screen dermoscopy photos for melanoma, or evaluate a model. Decision support, not a diagnosis.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    screen = commands.add_parser("screen", help="score photos", description="Score photos; one CSV row each.")
    screen.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a photo or a folder (and its subfolders)")
    screen.add_argument("--csv", type=Path, metavar="OUT.csv", help="where to write; default, or -: standard output")
    screen.add_argument(
        "--threshold", type=_probability, metavar="T", help="refer from this probability on; default: the model's own"
    )
    screen.add_argument("--resume", action="store_true", help="go on with the --csv that a killed run left")
    screen.set_defaults(run=_screen)

    evaluate = commands.add_parser(
        "evaluate", help="measure a model on a data set", description="Measure a model on images with known diagnoses."
    )
    evaluate.add_argument(
        "--data", action="append", required=True, type=Path, metavar="DIR", help="a data set; repeat it for several"
    )
    evaluate.add_argument("--out", required=True, type=Path, metavar="DIR", help="where the report goes")
    evaluate.add_argument(
        "--unseen",
        action="store_true",
        help="leave out photos that the model was trained on, and others of their patients and lesions",
    )
    evaluate.set_defaults(run=_evaluate)

    for command in (screen, evaluate):
        command.add_argument(
            "--model",
            action="append",
            type=Path,
            metavar="FILE",
            help="default: the bundled model; repeat it for the mean of several models",
        )
        command.add_argument("--device", default="cpu", metavar="NAME", help="cuda for a GPU; default: %(default)s")
        command.add_argument(
            "--workers", type=int, default=os.cpu_count() or 1, help="decoding threads; default: %(default)s"
        )
    return parser


def _probability(text: str) -> float:
    from isic_screen.operating_point import out_of_range  # here, as it brings numpy, and --help need not wait
    from isic_screen.typed_number import typed_number

    value = typed_number(text)
    if fault := out_of_range(value):
        raise argparse.ArgumentTypeError(fault)
    return value


def _load(files: list[Path] | None, device: "torch.device") -> "Model | Ensemble":
    """The bundled model, the model of one file, or the ensemble of several, which goes to `device`."""
    from isic_screen.artifact import BUNDLED_MODEL, load_model
    from isic_screen.ensemble import Ensemble

    if files and len(files) > 1:
        return Ensemble.from_files(files, device)
    return load_model(files[0] if files else BUNDLED_MODEL)


def _screen(given: argparse.Namespace) -> int:
    # Imported here, so that --help does not wait for torch.
    from tqdm import tqdm

    from isic_screen.batch import find_photos, screen_shared
    from isic_screen.ensemble import Ensemble
    from isic_screen.export import Resumed, write_csv
    from isic_screen.processes import device_named, launched
    from isic_screen.screener import Screener

    to_file = given.csv is not None and given.csv != Path("-")
    if given.resume and not to_file:
        raise ScreenError("--resume goes on with a file: name it with --csv.")
    photos, passed_over = find_photos(given.paths)
    if to_file:
        _refuse_input(given.csv, [file for _, file in photos], given.model or [])
    processes = launched()
    if passed_over and processes.main:
        print(f"Passed over: {passed_over}.", file=sys.stderr)
    device = processes.device or device_named(given.device)
    model = _load(given.model, device)
    if isinstance(model, Ensemble) and processes.main:
        print(f"{model.description} {_UNMEASURED}", file=sys.stderr)
    screener = model if isinstance(model, Ensemble) else Screener(model, device)
    threshold = screener.facts.default_threshold if given.threshold is None else given.threshold
    names, files = zip(*photos, strict=True)
    before = (
        _left_behind(given.csv, names, files, screener, threshold) if given.resume and processes.main else Resumed()
    )
    done, failures = processes.from_main(before.rows), before.failures
    names, left = names[done:], files[done:]
    results = screen_shared(screener, left, processes, workers=given.workers)
    if not processes.main:  # the main process alone writes, and says how it went
        for _ in results:
            pass
        return 0
    # newline="": csv writes its own line ends
    mode: Literal["a", "w"] = "a" if done else "w"
    if not to_file and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="")
    with open(given.csv, mode, newline="", encoding="utf-8") if to_file else nullcontext(sys.stdout) as out:
        # No Bar, which spares a log: programs that start this one follow its progress through the pipe.
        shown = tqdm(results, total=len(files), initial=done, unit="photo")
        failures += write_csv(out, zip(names, shown, strict=True), threshold, header=not done)
    if failures:
        print(f"{failures} of {len(files)} photos could not be read; the reasons are in the CSV.", file=sys.stderr)
    return UNREADABLE_PHOTOS if failures else 0


def _left_behind(
    file: Path, names: Sequence[str], photos: Sequence[Path], screener: "ScreensPhotos", threshold: float
) -> "Resumed":
    """What a killed run left in `file`; ScreenError where it was another command's, or another model's."""
    from isic_screen.batch import screen_files
    from isic_screen.export import resume_csv

    before = resume_csv(file, names, threshold)
    if before.last:
        number, probability = before.last
        (again,) = screen_files(screener, [photos[number]])
        if isinstance(again, PhotoError) or not isclose(again.probability, probability, rel_tol=SAME_PROBABILITY):
            raise ScreenError(
                f"{file} is of another model, or {names[number]} has changed since. Repeat that command, or give "
                "another --csv."
            )
    return before


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there, or may not be looked at
        return False


def _refuse_input(file: Path, photos: Sequence[Path], models: Sequence[Path]) -> None:
    """Raise ScreenError where the CSV would replace what it is made from: `--csv *.jpg`, its own name forgotten."""
    from isic_screen.files import PICTURE_SUFFIXES

    if file.suffix.lower() in PICTURE_SUFFIXES or any(_same(file, photo) for photo in photos):
        raise ScreenError(f"--csv {file} would replace a photo: name a file for the results, such as results.csv.")
    if file.suffix == ".safetensors" or any(_same(file, model) for model in models):
        raise ScreenError(f"--csv {file} would replace a model file: name a file for the results, such as results.csv.")


def _evaluate(given: argparse.Namespace) -> int:
    from isic_screen.evaluation.model_evaluation import evaluate_model
    from isic_screen.processes import device_named, launched

    processes = launched()
    device = processes.device or device_named(given.device)
    model = _load(given.model, device)
    evaluate_model(
        model,
        given.data,
        given.out,
        device=device,
        workers=given.workers,
        processes=processes,
        unseen=given.unseen,
    )
    if processes.main:
        print(f"Wrote {given.out / 'report.md'}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
