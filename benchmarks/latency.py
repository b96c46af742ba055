"""One photo by the bundled model, against one by the first model that was bundled, as it was served then.

    python -m benchmarks.latency [--threads N] [--repeats N]

The first bundled model (version 0.1) was one EfficientNet-Lite0, asked once, in fp32 by PyTorch as it was trained. Its
weights matter to no timing, so ImageNet's stand in for them. Both take a photo of 512 pixels from its pixels to
probability and heat map, in turns. Our own limit is 1.5. Writes benchmarks/results/latency.json.
"""

import argparse
from dataclasses import replace
from functools import partial

import torch

from benchmarks.measure import ROOT, in_turns, run, write_result
from isic_screen.artifact import Model, load_model
from isic_screen.network import build_network
from isic_screen.photo import open_photo
from isic_screen.screener import Screener

LIMIT = 1.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=40)
    given = parser.parse_args()
    photo = open_photo(str(ROOT / "assets" / "examples" / "synthetic-irregular-lesion.jpg"))
    photo.thumbnail((512, 512))
    model = load_model()
    ratios = {}
    for threads in given.threads:
        torch.set_num_threads(threads)
        ways = {"now": partial(Screener(model).screen, photo), "first": partial(_first(model).screen, photo)}
        seconds = in_turns(ways, given.repeats)
        ratios[f"{threads}"] = round(seconds["now"] / seconds["first"], 2)
    result = {
        "bundled": model.facts.version,
        "network": model.facts.backbone,
        "views": model.facts.input.views,
        "limit": LIMIT,
        "now_over_first_by_threads": ratios,
    }
    write_result("latency", result)


def _first(model: Model) -> Screener:
    """A screener that computes as version 0.1 did."""
    network = build_network("tf_efficientnet_lite0", weights="imagenet", input_size=224)
    screener = Screener(replace(model, network=network, novelty=None))
    screener._engine = network.forward_whole
    return screener


if __name__ == "__main__":
    run(main)
