"""What the networks of earlier runs say of a photo, to be learnt beside its label.

One network taught by the mean of several can come close to them all together, at the cost of one (Hinton, Vinyals and
Dean, Distilling the Knowledge in a Neural Network, 2015); and a photo whose label tells nothing of its diagnosis gets
one.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.transforms.functional import resize

from isic_screen.engine import engine_of
from isic_screen.processes import ALONE, Processes
from isic_screen.progress import Bar
from isic_screen.training.draws import Lessons
from isic_screen.training.fine_tuning import WithDiagnosis

_AT_ONCE = 64  # images


def lessons_of(
    modules: Sequence[WithDiagnosis],
    pixels: NDArray[np.uint8],
    rows: NDArray[np.int64],
    *,
    device: torch.device,
    quiet: bool = False,
    processes: Processes = ALONE,
) -> Lessons:
    """What the mean of the logits of `modules` says of the images `pixels[rows]`, undistorted, each at its input size.

    `pixels` (M, S, S, 3) are the squashed photos, `rows` (N,) places in it.
    """
    mine = rows[processes.share(len(rows))]
    teachers = [(module.network.input_spec, engine_of(module.network, device), module) for module in modules]
    melanoma, diagnoses = list[NDArray[np.float32]](), list[NDArray[np.float32]]()
    with torch.inference_mode():
        for start in Bar(
            range(0, len(mine), _AT_ONCE), desc="Asking the teachers", unit="batch", leave=False, disable=quiet
        ):
            photos = torch.from_numpy(pixels[mine[start : start + _AT_ONCE]]).to(device)
            images = photos.permute(0, 3, 1, 2).float().div_(255)
            logits, names = [], []
            for spec, engine, module in teachers:
                size = (spec.size, spec.size)
                resized = images.clone() if images.shape[-2:] == size else resize(images, size, antialias=True)
                seen = engine(spec.normalise(resized))
                logits.append(seen.logits)
                names.append(module.diagnosis.to(device)(seen.features))
            melanoma.append(torch.stack(logits).mean(0).sigmoid().cpu().numpy())
            diagnoses.append(torch.stack(names).mean(0).softmax(-1).cpu().numpy())
    melanoma, diagnoses = processes.gather_rows(melanoma), processes.gather_rows(diagnoses)
    return Lessons(np.concatenate(melanoma), np.concatenate(diagnoses))
