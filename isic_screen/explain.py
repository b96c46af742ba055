"""Heat maps: where in the photo the score came from. They do not outline the lesion."""

import copy
import threading
from collections.abc import Mapping
from functools import cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from isic_screen.network import ScreenNet

FloatMap = NDArray[np.float32]

_LIBRARY_CLASSES = {
    "Grad-CAM++": "GradCAMPlusPlus",
    "HiResCAM": "HiResCAM",
    "LayerCAM": "LayerCAM",
    "EigenCAM": "EigenCAM",
}
METHODS = ("Grad-CAM", *_LIBRARY_CLASSES)
"""Grad-CAM is ours, in closed form (`ScreenNet.forward_with_evidence`); the others are the grad-cam library's."""

Shows = Literal["evidence", "support", "attention"]
SHOWS: Mapping[str, Shows] = {
    "Grad-CAM": "evidence",
    "Grad-CAM++": "support",
    "HiResCAM": "evidence",
    "LayerCAM": "support",
    "EigenCAM": "attention",
}
"""What warm places of each of METHODS are. "evidence": places that spoke for melanoma more than against it. "support":
places that spoke for melanoma, what spoke against it left out, so that any photo has some. "attention": what the
network saw most of (the first principal component of its features), whatever it spoke for."""

EMPTY_SHARE = 0.02
"""Evidence for melanoma weaker than this share of the strongest evidence against counts as none at all."""


def heat_map_of(evidence: FloatMap) -> FloatMap:
    """The positive part of a signed evidence map (h, w), scaled to 0..1; all zero when there is none to speak of.

    Scaling by the maximum alone would stretch rounding noise to full colour where all evidence is against melanoma.
    """
    strongest = float(evidence.max(initial=0.0))
    if strongest <= EMPTY_SHARE * float(np.abs(evidence).max(initial=0.0)):
        return np.zeros_like(evidence, dtype=np.float32)
    return (np.maximum(evidence, 0) / strongest).astype(np.float32)


def heat_layer(heat_map: FloatMap, size: tuple[int, int]) -> Image.Image:
    """A heat map (h, w), in 0..1, as a coloured RGBA layer of `size` (width, height) to lay over the photo.

    Opacity grows with the heat, so that what the score did not come from stays as the camera saw it.
    """
    grey = Image.fromarray(np.rint(heat_map * 255).astype(np.uint8))
    heat = grey.resize(size, Image.Resampling.BICUBIC)
    # A palette image colours 256 levels instead of millions of pixels.
    layer = heat.copy()
    layer.putpalette(_palette())
    layer = layer.convert("RGB")
    layer.putalpha(heat)
    return layer


@cache
def _palette() -> bytes:
    """256 RGB colours from cold to hot."""
    # Here and not above: screening draws nothing, and matplotlib takes its time to import.
    from matplotlib import colormaps

    return (colormaps["inferno"](np.arange(256))[:, :3] * 255).astype(np.uint8).tobytes()


def overlay(photo: Image.Image, heat_map: FloatMap, strength: float = 0.5) -> Image.Image:
    """The RGB photo with the heat map (h, w), in 0..1, laid over it; same size as the photo.

    `strength` is the greatest opacity, 0 to 1.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength must lie in 0..1, got {strength}")
    layer = heat_layer(heat_map, photo.size)
    opacity = layer.getchannel("A").point([round(level * strength) for level in range(256)])
    return Image.composite(layer.convert("RGB"), photo, opacity)


class _Hookable(nn.Module):
    """A ScreenNet whose last feature map passes through a layer of its own: what the grad-cam library hooks."""

    def __init__(self, network: ScreenNet) -> None:
        super().__init__()
        self.network = network
        self.feature_map = nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        return self.network.head(self.feature_map(self.network.activations(images)).mean((2, 3)))


class Explainer:
    """Heat maps by the methods of the grad-cam library, safe to share between threads.

    The library keeps the activations of the last forward pass on its object, so two calls at once would mix their
    photos. This class gives it a copy of the network that nothing else runs, and takes turns.
    """

    def __init__(self, network: ScreenNet) -> None:
        self._network = _Hookable(copy.deepcopy(network)).eval().requires_grad_(False)
        self._turn = threading.Lock()

    def heat_map(self, photo: Image.Image, method: str) -> FloatMap:
        """Heat map (h, w) of an RGB photo, in 0..1, by one of METHODS; ValueError for another name."""
        if method not in METHODS:
            raise ValueError(f"unknown method {method!r}, choose one of {', '.join(METHODS)}")
        network = self._network.network
        images = network.input_spec(photo).unsqueeze(0)
        if method == "Grad-CAM":
            with self._turn, torch.inference_mode():
                return heat_map_of(network.forward_with_evidence(images)[1][0].numpy())
        # Here and not above: the library brings OpenCV and more, a second at start-up that most visits never need.
        import pytorch_grad_cam

        cam_class = getattr(pytorch_grad_cam, _LIBRARY_CLASSES[method])
        # The library needs a gradient to flow, and with frozen weights only the input can start it.
        images.requires_grad_()
        with self._turn, torch.enable_grad(), cam_class(self._network, [self._network.feature_map]) as cam:
            return cam(images, targets=[lambda logit: logit])[0].astype(np.float32)
