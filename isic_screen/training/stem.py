"""What the frozen stages say of the images that are drawn, computed once for every fold and for several epochs.

The stages that stay as ImageNet left them say the same of an image whichever fold asks, and to distort an image and
take it through them costs about as much as training the stages above. So a *round* of images is drawn from all rows,
distorted, and its maps are kept on disk; each fold trains on those that it may see. Two runs that want the same rounds
at the same time share the work.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from timm.models import EfficientNet
from torch import Tensor

from isic_screen.network import ScreenNet
from isic_screen.processes import ALONE, Processes
from isic_screen.progress import Bar
from isic_screen.training.checkpoint import StateDict
from isic_screen.training.filled_table import locked
from isic_screen.training.precision import amp_dtype, autocast
from isic_screen.training.recipe import FineTuneRecipe
from isic_screen.training.sampling import draw
from isic_screen.training.schedule import size_at
from isic_screen.whole_file import whole_file

_REVISION = 1  # raise it when maps come out differently
_AT_ONCE = 50  # images


def parts_in_two(backbone: str) -> bool:
    """Whether `first_stages` and `other_stages` know the timm model of this name."""
    return timm.models.is_model_in_modules(backbone.split(".")[0], ["efficientnet"])  # without the tag of its weights


def first_stages(backbone: Any, images: Tensor, count: int) -> Tensor:
    """The map (N, C, h, w) after the first `count` stages (the stem is one) of an EfficientNet of timm.

    Raises ValueError for another backbone, or none of its stages.
    """
    if not isinstance(backbone, EfficientNet) or count < 1:
        raise ValueError("the first stages can be computed apart in timm's EfficientNets only, and one at least")
    maps: Tensor = backbone.bn1(backbone.conv_stem(images))
    return backbone.blocks[: count - 1](maps)


def of_first_stages(weights: StateDict, count: int) -> StateDict:
    """Those of the `weights` of an EfficientNet of timm that `first_stages` uses."""
    used = ("conv_stem.", "bn1.", *(f"blocks.{block}." for block in range(count - 1)))
    return {name: tensor for name, tensor in weights.items() if name.startswith(used)}


def other_stages(backbone: Any, maps: Tensor, count: int) -> Tensor:
    """The last feature map (N, C, h, w), from what `first_stages` gave."""
    return backbone.bn2(backbone.conv_head(backbone.blocks[count - 1 :](maps)))


@dataclass(frozen=True)
class Round:
    """Images drawn for some epochs: `rows` (N,) of the table of pixels, and the `file` of their maps.

    They are `size` pixels wide and high, and this is the round of that `number` (from 0) of that size.
    """

    size: int
    number: int
    rows: NDArray[np.int64]
    file: Path

    def maps(self, places: NDArray[np.int64]) -> Tensor:
        """The maps (n, C, h, w) of some of the N images, channels last."""
        bits = np.load(self.file, mmap_mode="r")[places]
        values = torch.from_numpy(bits)
        return (values.view(torch.bfloat16) if bits.dtype == np.int16 else values).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class StemRounds:
    """The rounds of a whole run; `of_epoch` has the round of every epoch (from 1) in its place (from 0).

    They are computed by `fill`, which a run calls that has epochs to train: a finished one needs none.
    """

    of_epoch: list[Round]
    network: ScreenNet
    pixels: NDArray[np.uint8]
    recipe: FineTuneRecipe
    device: torch.device
    processes: Processes

    @classmethod
    def plan(
        cls,
        network: ScreenNet,
        pixels: NDArray[np.uint8],
        rows: NDArray[np.int64],
        weights: NDArray[np.float64],
        recipe: FineTuneRecipe,
        *,
        content: str,
        cache: Path,
        device: torch.device,
        processes: Processes = ALONE,
    ) -> "StemRounds":
        """Draw what the rounds hold, and name their files in `cache`.

        `rows` (N,) of `pixels` (M, S, S, 3) are drawn in proportion to `weights` (N,); `content` names what `pixels`
        hold. Raises ValueError for a backbone that has no stem to compute apart.
        """
        network = network.to(device).eval()
        first_stages(network.backbone, torch.zeros(1, 3, 32, 32, device=device), recipe.frozen_stages)
        key = _key(network, recipe, content, weights, amp_dtype(device, recipe.amp))
        found: dict[tuple[int, int], Round] = {}
        for size, number in (plan := rounds_of(recipe)):
            random = np.random.default_rng([recipe.seed, size, number])
            drawn = rows[draw(weights, recipe.epoch_images, random)]
            file = cache / f"stem-{key}-{size}-{number}.npy"
            found[size, number] = Round(size, number, drawn, file)
        return cls([found[key] for key in plan], network, pixels, recipe, device, processes)

    def fill(self, epoch: int) -> None:
        """Compute the rounds of this epoch and all later ones, where they are not there yet."""
        missing = {round_.file: round_ for round_ in self.of_epoch[epoch - 1 :] if not round_.file.is_file()}
        if self.processes.main and missing:
            next(iter(missing)).parent.mkdir(parents=True, exist_ok=True)
            total = len(missing) * self.recipe.epoch_images
            with Bar(desc="First stages", unit="image", total=total, leave=False) as progress:
                # Once without waiting for rounds that another run is at, then for those.
                for patient in (False, True):
                    for round_ in missing.values():
                        with locked(round_.file.with_suffix(".lock"), wait=patient) as mine:
                            if mine and not round_.file.is_file():
                                self._compute(round_, progress)
        self.processes.wait()

    def _compute(self, round_: Round, progress: Bar) -> None:
        random = np.random.default_rng([self.recipe.seed, round_.size, round_.number, 1])
        parts = _maps(self.network, self.pixels, round_.rows, round_.size, self.recipe, self.device, random, progress)
        # By way of memory: of a full disk NumPy would not say what is wrong.
        np.save(whole := BytesIO(), np.concatenate(list(parts)))
        with whole_file(round_.file) as unfinished:
            unfinished.write_bytes(whole.getbuffer())


def rounds_of(recipe: FineTuneRecipe) -> list[tuple[int, int]]:
    """The size of the images of each epoch, and the number of its round among those of that size.

    Epochs of one size take its rounds in turn, so that an image comes back as late as possible.
    """
    sizes = [size_at(epoch, recipe) for epoch in range(1, recipe.epochs + 1)]
    epochs, before, found = Counter(sizes), Counter[int](), list[tuple[int, int]]()
    for size in sizes:
        found.append((size, before[size] % -(-epochs[size] // recipe.stem_uses)))
        before[size] += 1
    return found


def _maps(
    network: ScreenNet,
    pixels: NDArray[np.uint8],
    rows: NDArray[np.int64],
    size: int,
    recipe: FineTuneRecipe,
    device: torch.device,
    random: np.random.Generator,
    progress: Bar,
) -> Iterator[NDArray[Any]]:
    """The maps (n, h, w, C) of some rows at a time; bf16's bits as int16, as NumPy has no such type."""
    distortion, dtype = recipe.distortion(), amp_dtype(device, recipe.amp)
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        images = network.input_spec.normalise(distortion(pixels[some], size, device, random))
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.no_grad(), autocast(device, dtype):
            maps = first_stages(network.backbone, images, recipe.frozen_stages).permute(0, 2, 3, 1)
        lower = dtype != torch.float32
        maps = maps.to(torch.bfloat16 if lower else torch.float32).cpu().contiguous()
        yield (maps.view(torch.int16) if lower else maps).numpy()
        progress.update(len(some))


def _key(
    network: ScreenNet, recipe: FineTuneRecipe, content: str, weights: NDArray[np.float64], dtype: torch.dtype
) -> str:
    spec = network.input_spec  # its size is of no matter here
    described = (_REVISION, spec.mean, spec.std, recipe.distortion(), recipe.pixels, recipe.frozen_stages)
    key = hashlib.sha256(repr((*described, recipe.seed, recipe.epoch_images, content, dtype)).encode())
    key.update(weights.tobytes())
    for name, tensor in network.backbone.state_dict().items():
        key.update(name.encode())
        key.update(tensor.cpu().contiguous().numpy().tobytes())
    return key.hexdigest()[:32]
