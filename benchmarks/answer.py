"""From a photo's file to its answer on the page, against its least parts, and against the way one would first write it.

    python -m benchmarks.answer [--photo FILE] [--repeats N]

*page*: what the page does before it answers: decode, check the photo, the network on as many views as the model asks
for, verdict and heat map as HTML.
*parts*: decode, the network on the same views with its heat map, and the overlay in the size that the page shows.
*naive*: Pillow decodes in full, the grad-cam library runs forward and back on one view, the overlay has the photo's own
size.
PyTorch has one thread, and what counts is processor time, so that other work on the machine changes little; the two
ways of each comparison take turns. Writes benchmarks/results/answer.json.
"""

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pytorch_grad_cam.utils.image import show_cam_on_image

from benchmarks.decode import SIZES, default_photo, jpeg
from benchmarks.heat_map import Hooked, by_library
from benchmarks.measure import alternate, run, write_result
from isic_screen.engine import Engine, engine_of
from isic_screen.explain import METHODS, heat_map_of, overlay
from isic_screen.network import InputSpec
from isic_screen.photo import open_photo
from isic_screen.screener import Screener
from isic_screen.ui.answer import SHOWN_SIDE
from isic_screen.ui.callbacks import Callbacks
from isic_screen.ui.texts import LANGUAGES
from isic_screen.views import averaged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", type=Path, default=default_photo(), help="default: a real photo, or an example")
    parser.add_argument("--repeats", type=int, default=15)
    given = parser.parse_args()
    torch.set_num_threads(1)
    callbacks = Callbacks(Screener(), LANGUAGES[0])
    network = callbacks.screener.model.network
    engine = averaged(engine_of(network, torch.device("cpu")), network.input_spec.views)
    parts = partial(_parts, engine, network.input_spec)
    result: dict[str, object] = {"repeats": given.repeats}
    with tempfile.TemporaryDirectory() as folder:
        for name, size in SIZES.items():
            file = Path(folder) / f"{size[0]}.jpg"
            file.write_bytes(jpeg(given.photo, size))
            on_page, of_parts = alternate(partial(page, callbacks, file), partial(parts, file), given.repeats)
            again, naively = alternate(
                partial(page, callbacks, file), partial(naive, callbacks, file), given.repeats, time.process_time
            )
            result[name] = {
                "page_ms": round(1000 * on_page, 1),
                "parts_ms": round(1000 * of_parts, 1),
                "page_over_parts": round(on_page / of_parts, 2),
                "naive_over_page": round(naively / again, 2),
            }
    write_result("answer", result)


def page(callbacks: Callbacks, file: Path) -> None:
    """The page's own way from a file to the answer's HTML."""
    facts = callbacks.screener.facts
    callbacks.screen(str(file), facts.default_threshold, facts.prevalence, METHODS[0])


def _parts(engine: Engine, spec: InputSpec, file: Path) -> None:
    photo = open_photo(file)
    with torch.inference_mode():
        seen = engine(spec(photo).unsqueeze(0))
    seen.logits.item()
    photo.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    overlay(photo, heat_map_of(seen.evidence[0].numpy()))


def naive(callbacks: Callbacks, file: Path) -> None:
    """Full decode, the grad-cam library, an overlay in the photo's own size."""
    network = callbacks.screener.model.network
    hooked = Hooked(network)
    with Image.open(file) as image:
        photo = image.convert("RGB")
    heat = by_library(hooked, network.input_spec(photo).unsqueeze(0))
    enlarged = np.asarray(Image.fromarray(heat).resize(photo.size))
    show_cam_on_image(np.asarray(photo, np.float32) / 255, enlarged, use_rgb=True)


if __name__ == "__main__":
    run(main)
