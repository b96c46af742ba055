"""The mean of what a network says of a photo and of its turns and flips.

Known as test-time augmentation. It errs less than one look, and with four the answer does not depend on which way round
the dermatoscope was held.
"""

import torch
from torch import Tensor

from isic_screen.engine import Engine, in_parts
from isic_screen.network import Whole
from isic_screen.turns import turned, turned_back, views_of

AT_ONCE = 16
"""Photos whose views are made together: enough to fill a GPU, and few enough for the memory."""


def averaged(engine: Engine, views: int) -> Engine:
    """What `engine` says of images in the mean over `views` of their eight views (`turns.views_of`).

    The evidence maps are turned back first. As the logit, they are means, so that a map still explains its logit.
    """
    if views == 1:
        return engine
    shown = views_of(views)

    def look(images: Tensor) -> Whole:
        count = len(images)
        seen = engine(torch.cat([turned(images, view) for view in shown]))
        logits, evidence, features, style = (tensor.unflatten(0, (len(shown), count)) for tensor in seen)
        upright = torch.stack([turned_back(maps, view) for view, maps in zip(shown, evidence, strict=True)])
        return Whole(logits.mean(0), upright.mean(0), features.mean(0), style.mean(0))

    return in_parts(look, AT_ONCE)
