"""The flips and quarter turns of a photo, which all show the same lesion: a dermatoscope has no up or down.

Asking the network about several of them and taking the mean is known as test-time augmentation. It errs less than one
look, and with all eight the answer does not depend on how the photo was held.
"""

import torch
from torch import Tensor

from isic_screen.engine import AT_ONCE, Engine
from isic_screen.network import Whole

VIEWS = 8


def turned(images: Tensor, view: int) -> Tensor:
    """Square images (..., s, s) as the `view` (0 to 7) shows them; 0 is the image as it is, 1 its mirror image.

    0 to 3 are the flips, 4 to 7 the same of the image mirrored along its diagonal: the two quarter turns among them.
    """
    if view & 4:
        images = images.transpose(-1, -2)
    return images.flip(_axes(view))


def turned_back(maps: Tensor, view: int) -> Tensor:
    """Maps (..., h, h) of turned images, as they lie on the images before `turned`."""
    maps = maps.flip(_axes(view))
    return maps.transpose(-1, -2) if view & 4 else maps


def averaged(engine: Engine, views: int) -> Engine:
    """What `engine` says of images in the mean over the first `views` of their eight views.

    The evidence maps are turned back first. As the logit, they are means, so that a map still explains its logit.
    """
    if views == 1:
        return engine

    def look(images: Tensor) -> Whole:
        count = len(images)
        seen = engine(torch.cat([turned(images, view) for view in range(views)]))
        logits, evidence, features, style = (tensor.unflatten(0, (views, count)) for tensor in seen)
        upright = torch.stack([turned_back(maps, view) for view, maps in enumerate(evidence)])
        return Whole(logits.mean(0), upright.mean(0), features.mean(0), style.mean(0))

    def run(images: Tensor) -> Whole:
        # A few at a time: their views together are many times as large as they are.
        parts = [look(some) for some in images.split(AT_ONCE)]
        return Whole(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))

    return run


def _axes(view: int) -> list[int]:
    return [axis for bit, axis in ((1, -1), (2, -2)) if view & bit]
