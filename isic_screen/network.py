"""A timm backbone with the paper's head; one forward pass gives the logit and the map of where it came from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self, cast

import numpy as np
import torch
from PIL import Image
from timm.data import resolve_model_data_config
from torch import Tensor, nn

from isic_screen.backbone import Weights, as_map, build_backbone, middle_stage, stages_of
from isic_screen.errors import WeightsError
from isic_screen.turns import COUNTS, turned, turned_back, view_of_member

_LARGEST_COMMITTEE = 16


@dataclass(frozen=True)
class InputSpec:
    """How a photo becomes the network's input: the whole photo squashed to a square, then normalised.

    The whole photo, not a centre crop: lesions reach the border, and most images of the training sets were squashed
    to a square by whoever published them. `mean` and `std` are per RGB channel, for values in 0 to 1. `views` is how
    many of its turns and flips (views.py) the answer is averaged over when a photo is screened: 1, 2, 3, 4 or 8. With
    `members_turned` each member of a committee is shown every view turned another way (`turns.view_of_member`).
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: Literal["bicubic", "bilinear"]
    views: int = 1
    members_turned: bool = False

    def __post_init__(self) -> None:
        if not 32 <= self.size <= 1024:
            raise ValueError(f"the input size must lie in 32..1024 pixels, got {self.size}")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError("mean and std must hold three values each, std above 0")
        if self.interpolation not in ("bicubic", "bilinear"):
            raise ValueError(f"interpolation must be bicubic or bilinear, got {self.interpolation!r}")
        if type(self.views) is not int or self.views not in COUNTS:
            raise ValueError(f"views must be 1, 2, 3, 4 or 8, got {self.views!r}")
        if type(self.members_turned) is not bool:
            raise ValueError(f"members_turned must be true or false, got {self.members_turned!r}")

    def resize(self, photo: Image.Image) -> Image.Image:
        """The whole RGB photo as size x size pixels (Pillow's filters are antialiased)."""
        return photo.resize((self.size, self.size), Image.Resampling[self.interpolation.upper()])

    def tensor(self, resized: Image.Image) -> Tensor:
        """A resized RGB photo as a normalised float32 tensor (3, size, size)."""
        return self.normalise(torch.from_numpy(np.array(resized)).permute(2, 0, 1).float().div_(255))

    def normalise(self, images: Tensor) -> Tensor:
        """RGB images (..., 3, h, w) of values 0 to 1, changed in place to what the network was trained on."""
        mean, std = (torch.tensor(values, device=images.device).view(3, 1, 1) for values in (self.mean, self.std))
        return images.sub_(mean).div_(std)

    def __call__(self, photo: Image.Image) -> Tensor:
        """An RGB photo of any size as the network's input (3, size, size).

        ValueError for a photo of another mode: one of three other channels would be taken for colours, and scored.
        """
        if photo.mode != "RGB":
            raise ValueError(f"a photo must be RGB, as open_photo returns it, not {photo.mode}")
        return self.tensor(self.resize(photo))


class Head(nn.Module):
    """The paper's head: Dropout -> Linear(hidden) -> ReLU -> Linear(1), on pooled features (N, C)."""

    def __init__(self, features: int, hidden: int = 128, dropout: float = 0.4) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(features, hidden)
        self.out = nn.Linear(hidden, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (N,) of features (N, C)."""
        return self.out(self.hidden(self.dropout(features)).relu()).squeeze(-1)

    def channel_weights(self, features: Tensor) -> Tensor:
        """Gradient of the logit with respect to the features (N, C), dropout off.

        The head is piecewise linear, so on the active piece it is exactly ``W1ᵀ(1[h > 0] · w2)``.
        """
        active = (self.hidden(features) > 0).to(features.dtype)
        return (active * self.out.weight) @ self.hidden.weight


class SideBySide(nn.Module):
    """Backbones of one kind that see the same images: their feature maps, joined along the channels.

    Speaks as a timm model does where `ScreenNet` asks one; it is put together from trained ones (committee.py). When
    `turned`, each is shown the images another way round, and its maps are turned back.
    """

    def __init__(self, members: Sequence[Any], *, turned: bool = False) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.views = [view_of_member(number) if turned else 0 for number in range(len(members))]
        self.num_features = sum(int(member.num_features) for member in members)
        self.feature_info = members[0].feature_info
        self.pretrained_cfg = members[0].pretrained_cfg

    def forward_features(self, images: Tensor) -> Tensor:
        """(N, C, h, w)"""
        seen = [
            turned_back(as_map(member, cast(Any, member).forward_features(turned(images, view))), view)
            for member, view in zip(self.members, self.views, strict=True)
        ]
        return torch.cat(seen, 1)

    def forward_intermediates(self, images: Tensor, **options: Any) -> tuple[Tensor, list[Tensor]]:
        """The last feature map (N, C, h, w), and those (N, K, H, W) of the stages asked for."""
        lasts, stages = [], []
        for member, view in zip(self.members, self.views, strict=True):
            last, middle = cast(Any, member).forward_intermediates(turned(images, view), **options)
            lasts.append(turned_back(as_map(member, last), view))
            stages.append([turned_back(maps, view) for maps in middle])
        return torch.cat(lasts, 1), [torch.cat(maps, 1) for maps in zip(*stages, strict=True)]


class ScreenNet(nn.Module):
    """A backbone without its classifier, global average pooling, and the head."""

    backbone: Any  # a timm model: its forward_features, patch_embed, … are not in nn.Module's types

    def __init__(self, backbone_name: str, backbone: nn.Module, input_spec: InputSpec, head: Head) -> None:
        super().__init__()
        self.backbone_name = backbone_name
        self.backbone = backbone
        self.input_spec = input_spec
        self.head = head
        self.backbone_frozen = False
        self._frozen_modules: list[nn.Module] = []

    def freeze_backbone(self) -> None:
        """Train the head alone from here on."""
        self.backbone_frozen = True
        self.backbone.requires_grad_(False)
        self.backbone.eval()

    def freeze_stages(self, count: int) -> None:
        """Keep the first `count` stages of the backbone (the stem is one) as they are, and train the others.

        The first stages of an ImageNet network see edges and colours, as useful here as there; leaving them out of the
        backward pass saves 40 % of a training step of EfficientNet-Lite0. Raises ValueError for more than there are.
        """
        stages = stages_of(self.backbone)
        most = max(stages.values())
        if count > most:
            raise ValueError(
                f"{self.backbone_name} has {most} stages that can be frozen, not {count}: set it to {most} or less"
            )
        for name, parameter in self.backbone.named_parameters():
            parameter.requires_grad_(stages[name] >= count)
        self._frozen_modules = [
            module
            for module in self.backbone.modules()
            if (own := list(module.parameters())) and not any(parameter.requires_grad for parameter in own)
        ]

    def train(self, mode: bool = True) -> Self:
        """As nn.Module's, but that what is frozen stays in eval mode."""
        super().train(mode)
        # In train mode batch norm would go on moving its running statistics, so "frozen" would not be frozen.
        for module in [self.backbone] if self.backbone_frozen else self._frozen_modules:
            module.eval()
        return self

    def activations(self, images: Tensor) -> Tensor:
        """The backbone's last feature map (N, C, h, w) of normalised images (N, 3, size, size)."""
        return as_map(self.backbone, self.backbone.forward_features(images))

    def features(self, images: Tensor) -> Tensor:
        """Pooled features (N, C)."""
        return self.activations(images).mean((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N,) of normalised images (N, 3, size, size)."""
        return self.head(self.features(images))

    def forward_with_evidence(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N,) and the signed evidence map (N, h, w) they came from; call it in eval mode.

        The map is Grad-CAM (Selvaraju et al., ICCV 2017) before its ReLU. Because pooling is the mean and the head
        piecewise linear, no backward pass is needed, and the map's mean is the logit less the head's own biases.
        """
        return self._with_evidence(self.activations(images))

    def _with_evidence(self, activations: Tensor) -> tuple[Tensor, Tensor]:
        features = activations.mean((2, 3))
        evidence = torch.einsum("nc,nchw->nhw", self.head.channel_weights(features), activations)
        return self.head(features), evidence

    def forward_whole(self, images: Tensor) -> "Whole":
        """As `forward_with_evidence`, and what novelty.py looks at as well, from the same pass."""
        output, (middle,) = self.backbone.forward_intermediates(
            images, indices=[middle_stage(self.backbone)], norm=False, output_fmt="NCHW", stop_early=False
        )
        activations = as_map(self.backbone, output)
        logits, evidence = self._with_evidence(activations)
        style = torch.cat([middle.mean((2, 3)), middle.std((2, 3))], 1)
        return Whole(logits, evidence, activations.mean((2, 3)), style)


class Whole(NamedTuple):
    """All that a forward pass tells about N images."""

    logits: Tensor
    """(N,)"""
    evidence: Tensor
    """(N, h, w), signed."""
    features: Tensor
    """(N, C), pooled over the last feature map."""
    style: Tensor
    """(N, 2K): mean and standard deviation over the image of the K channels of a middle stage: its textures."""

    @classmethod
    def joined(cls, parts: Iterable["Whole"]) -> "Whole":
        """What was told of some images at a time, as of all."""
        return cls(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))


def build_network(
    backbone: str,
    *,
    weights: Weights,
    hidden: int = 128,
    dropout: float = 0.4,
    input_size: int | None = None,
    members_turned: bool = False,
) -> ScreenNet:
    """A network on any timm backbone, in eval mode, its head untrained.

    "NAME+NAME" is a committee of networks on the same backbone; its weights can only come from a model file (None), and
    `members_turned` says how its members are shown a photo (see InputSpec).

    `weights`: "imagenet" takes the pretrained weights from an installed package where there is one and from timm's hub
    otherwise; a path takes a state dict of that backbone (.safetensors, or .pth read without executing it); None
    leaves random weights, for a model file's tensors to replace. `input_size` replaces the backbone's own.

    Raises WeightsError when the backbone is unknown, or its weights cannot be had or do not fit: never a silent
    fall-back to random weights.
    """
    name, *others = backbone.split("+")
    if others and (set(others) != {name} or weights is not None or len(others) >= _LARGEST_COMMITTEE):
        raise WeightsError(
            f"{backbone!r} cannot be built. A committee has at most {_LARGEST_COMMITTEE} networks, trained on one and "
            "the same backbone: see train/run.py --member."
        )
    members = [build_backbone(name, weights, input_size) for _ in (name, *others)]
    config = resolve_model_data_config(members[0])
    spec = InputSpec(
        size=input_size or config["input_size"][-1],
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        # A few backbones say "random" or "lanczos"; bicubic is what nearly all of timm was trained with.
        interpolation=config["interpolation"] if config["interpolation"] in ("bicubic", "bilinear") else "bicubic",
        members_turned=members_turned,
    )
    network = SideBySide(members, turned=members_turned) if others else members[0]
    return ScreenNet(backbone, network, spec, Head(network.num_features, hidden, dropout)).eval()
