"""The flips and quarter turns of a photo, which all show the same lesion: a dermatoscope has no up or down.

Asking the network about several of them and taking the mean is known as test-time augmentation. It errs less than one
look, and with four the answer does not depend on which way round the dermatoscope was held.
"""

import torch
from torch import Tensor

from isic_screen.engine import Engine, in_parts
from isic_screen.network import Whole

VIEWS = 8
AT_ONCE = 16
"""Photos whose views are made together: enough to fill a GPU, and few enough for the memory."""
# What each does: 4 mirrors along the diagonal, then 1 from left to right, 2 from top to bottom. The first two are the
# half turn, the first four all quarter turns, and the other four the same of the mirror image.
_STEPS = (0, 3, 5, 6, 1, 2, 4, 7)


def turned(images: Tensor, view: int) -> Tensor:
    """Square images (..., s, s) as the `view` (0 to 7) shows them; 0 is the image as it is."""
    if _STEPS[view] & 4:
        images = images.transpose(-1, -2)
    return images.flip(_axes(view))


def turned_back(maps: Tensor, view: int) -> Tensor:
    """Maps (..., h, h) of turned images, as they lie on the images before `turned`."""
    maps = maps.flip(_axes(view))
    return maps.transpose(-1, -2) if _STEPS[view] & 4 else maps


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

    return in_parts(look, AT_ONCE)


def _axes(view: int) -> list[int]:
    return [axis for bit, axis in ((1, -1), (2, -2)) if _STEPS[view] & bit]
