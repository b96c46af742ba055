"""From the start of Python to a loaded model, against importing the libraries alone.

    python -m benchmarks.startup [--repeats N]

Each way runs in a fresh process, and they take turns; a ratio is the median processor time (user and system) of ours
over that of the bare imports, as other processes hardly change it. Writes benchmarks/results/startup.json.
"""

import argparse
import resource
import statistics
import subprocess
import sys
from functools import partial

from benchmarks.measure import ROOT, in_turns, write_result

LIBRARIES = "import torch, timm, gradio"
WAYS = {
    "bare imports of the page's libraries": LIBRARIES,
    "import app": "import app, isic_screen.ui.layout",
    "import app, load the model": "import app, isic_screen.ui.layout; app.Screener(app.load_model())",
    "bare imports of the command line's libraries": "import torch, timm",
    "command line, load the model": (
        "import isic_screen.__main__, isic_screen.batch, isic_screen.export, isic_screen.ensemble, tqdm; "
        "from isic_screen import Screener; Screener()"
    ),
    "command line, --help": "import isic_screen.__main__ as m; m._parser().format_help()",
    "Python alone": "pass",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    processor: dict[str, list[float]] = {name: [] for name in WAYS}

    def run(name: str) -> None:
        before = _children()
        subprocess.run([sys.executable, "-c", WAYS[name]], cwd=ROOT, check=True, capture_output=True)
        processor[name].append(_children() - before)

    in_turns({name: partial(run, name) for name in WAYS}, given.repeats, warm_up=1)
    seconds = {name: statistics.median(taken[1:]) for name, taken in processor.items()}
    page, command_line = (seconds[name] for name in WAYS if name.startswith("bare"))
    write_result(
        "startup",
        {
            "repeats": given.repeats,
            "processor_seconds": {name: round(value, 2) for name, value in seconds.items()},
            "import_app_over_bare": round(seconds["import app"] / page, 2),
            "import_app_and_model_over_bare": round(seconds["import app, load the model"] / page, 2),
            "command_line_and_model_over_bare": round(seconds["command line, load the model"] / command_line, 2),
        },
    )


def _children() -> float:
    """Processor seconds of the processes that this one started and that ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
