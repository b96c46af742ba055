"""Where the time of one photo's answer goes: a stage at a time, from the bytes of the file to the page's HTML.

    python -m benchmarks.stages [--photo FILE] [--repeats N]

The stages run one after the other as the page runs them; each figure is the median of its share of the sum, and the sum
is compared with the page's own callback. Writes benchmarks/results/stages.json.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch

from benchmarks.answer import page
from benchmarks.decode import SIZES, default_photo, jpeg
from benchmarks.measure import alternate, run, write_result
from isic_screen.engine import engine_of
from isic_screen.explain import heat_layer, heat_map_of
from isic_screen.photo import open_photo
from isic_screen.quality import assess
from isic_screen.screener import Screener, Screening
from isic_screen.ui.answer import Case, data_uri
from isic_screen.ui.callbacks import Callbacks
from isic_screen.ui.texts import LANGUAGES
from isic_screen.views import averaged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", type=Path, default=default_photo(), help="default: a real photo, or an example")
    parser.add_argument("--repeats", type=int, default=25)
    given = parser.parse_args()
    callbacks = Callbacks(Screener(), LANGUAGES[0])
    stages = Stages(callbacks)
    result: dict[str, object] = {"repeats": given.repeats}
    with tempfile.TemporaryDirectory() as folder:
        for name, size in SIZES.items():
            file = Path(folder) / f"{size[0]}.jpg"
            file.write_bytes(jpeg(given.photo, size))
            taken: list[dict[str, float]] = []
            summed, on_page = alternate(
                lambda file=file, taken=taken: taken.append(dict(stages.timed(file))),  # type: ignore[misc]
                partial(page, callbacks, file),
                given.repeats,
            )
            del taken[:3]  # the warm-up
            shares = {
                stage: statistics.median(turn[stage] / sum(turn.values()) for turn in taken) for stage in taken[0]
            }
            result[name] = {
                "share": {stage: round(share, 3) for stage, share in shares.items()},
                "all_ms": round(1000 * summed, 1),
                "page_over_stages": round(on_page / summed, 2),
            }
    write_result("stages", result)


class Stages:
    """What Callbacks.screen does, in steps that can be timed."""

    def __init__(self, callbacks: Callbacks) -> None:
        self.callbacks = callbacks
        network = callbacks.screener.model.network
        self.spec = network.input_spec
        self.engine = averaged(engine_of(network, torch.device("cpu")), self.spec.views)

    def timed(self, file: Path) -> Iterator[tuple[str, float]]:
        """(stage, seconds) of one photo, in order."""
        facts = self.callbacks.screener.facts
        clock = _Clock()
        photo = open_photo(file)
        yield "decode", clock.lap()
        resized = self.spec(photo).unsqueeze(0)
        yield "resize", clock.lap()
        with torch.inference_mode():
            seen = self.engine(resized)
            logit = seen.logits.item()
            yield "forward passes and evidence", clock.lap()
            novelty = self.callbacks.screener.model.novelty
            distance = None if novelty is None else novelty.share_of_cut_off(seen).item()
            yield "novelty", clock.lap()
        heat_map = heat_map_of(seen.evidence[0].numpy())
        yield "heat map", clock.lap()
        quality = assess(photo)
        yield "quality", clock.lap()
        case = Case.of(
            photo, Screening(float(facts.calibration.probability(logit)), logit, quality, heat_map, distance)
        )
        yield "photo in the page's size", clock.lap()
        data_uri(case.photo, "JPEG")
        yield "encode photo", clock.lap()
        layer = heat_layer(heat_map, (128, 128))
        yield "overlay", clock.lap()
        data_uri(layer, "WEBP")
        yield "encode overlay", clock.lap()
        self.callbacks.verdict(case, facts.default_threshold, facts.prevalence)
        yield "verdict as HTML", clock.lap()


class _Clock:
    def __init__(self) -> None:
        self.then = time.perf_counter()

    def lap(self) -> float:
        now = time.perf_counter()
        taken, self.then = now - self.then, now
        return taken


if __name__ == "__main__":
    run(main)
