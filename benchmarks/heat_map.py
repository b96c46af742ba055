"""Probability and heat map of one photo: the closed form in one forward pass, against the grad-cam library.

    python -m benchmarks.heat_map [--photo FILE] [--repeats N]

Both get the same decoded photo and network; their turns alternate, so that a busy machine slows both alike. Writes
benchmarks/results/heat_map.json.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_grad_cam import GradCAM
from torch import Tensor, nn

from benchmarks.measure import ROOT, alternate, run, write_result
from isic_screen.artifact import load_model
from isic_screen.explain import heat_map_of
from isic_screen.network import ScreenNet
from isic_screen.photo import open_photo


class Hooked(nn.Module):
    """The network as the library wants it: a layer to hook, a class axis."""

    def __init__(self, network: ScreenNet) -> None:
        super().__init__()
        self.network, self.feature_map = network, nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        return self.network.head(self.feature_map(self.network.activations(images)).mean((2, 3)))[:, None]


def by_library(hooked: Hooked, images: Tensor) -> NDArray[np.float32]:
    """The heat map (h, w) of one normalised image (1, 3, size, size) by the grad-cam library; the logit is read."""
    with GradCAM(hooked, [hooked.feature_map]) as cam:
        heat: NDArray[np.float32] = cam(images.clone().requires_grad_(), targets=[lambda output: output[0]])[0]
        cam.outputs.item()
    return heat


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = next(iter(sorted((ROOT / "assets" / "examples").glob("*.jpg"))))
    parser.add_argument("--photo", type=Path, default=default, help="default: an example picture")
    parser.add_argument("--repeats", type=int, default=60)
    given = parser.parse_args()
    network = load_model().network
    images = network.input_spec(open_photo(given.photo)).unsqueeze(0)
    hooked = Hooked(network)

    def closed_form() -> None:
        with torch.inference_mode():
            logit, evidence = network.forward_with_evidence(images)
            heat_map_of(evidence[0].numpy())
            logit.item()

    ours, theirs = alternate(closed_form, partial(by_library, hooked, images), given.repeats)
    write_result(
        "heat_map",
        {
            "repeats": given.repeats,
            "closed_form_ms": round(1000 * ours, 2),
            "library_ms": round(1000 * theirs, 2),
            "library_over_closed_form": round(theirs / ours, 2),
        },
    )


if __name__ == "__main__":
    run(main)
