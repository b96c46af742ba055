"""A network as it is served: the same function in fewer steps. `python -m benchmarks.engines` measures the gain."""

import copy
from collections import Counter
from typing import Any

import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from isic_screen.network import ScreenNet

TOLERANCE = 1e-3
"""Of every output, as a share of its largest value. Rounding alone stays a hundred times below it."""


def folded(network: ScreenNet) -> ScreenNet:
    """A copy in eval mode that screens alike, and faster: batch norms folded into convolutions, channels last.

    In eval mode a batch norm multiplies and adds constants, which the convolution before it can do on its way. Which
    convolution that is, is seen in a forward pass; a convolution that something else reads as well, or that changes its
    own weights, cannot take them in, so the copy is compared with the original and stays unfolded where they differ.
    """
    served = copy.deepcopy(network).eval().requires_grad_(False)
    probe = probe_of(served)
    with torch.no_grad():  # not inference_mode: tensors made in it could not be used outside it
        expected, pairs = _watched(served, probe)
        candidate = copy.deepcopy(served)
        for convolution, norm in pairs:
            _fold(candidate, convolution, norm)
        found = candidate.forward_whole(probe)
    if alike(found, expected):
        served = candidate
    return served.to(memory_format=torch.channels_last)


def probe_of(network: ScreenNet) -> Tensor:
    """A normalised image (1, 3, size, size) of noise, on the network's device, to compare two ways by."""
    size, device = network.input_spec.size, network.head.out.weight.device
    return torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0)).mul_(4).sub_(2).to(device)


def alike(found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> bool:
    """Whether two ways say the same within TOLERANCE; a nan is like nothing."""
    return all(
        bool((one - other).abs().max() <= TOLERANCE * other.abs().max())
        for one, other in zip(found, expected, strict=True)
    )


def _watched(network: ScreenNet, probe: Tensor) -> tuple[tuple[Tensor, ...], list[tuple[str, str]]]:
    """What the network says of a probe, and the names of each convolution and the batch norm it led straight to."""
    pairs: list[tuple[str, str]] = []
    calls: Counter[str] = Counter()
    last: list[Any] = ["", None]  # name and output of the convolution that ran last

    def remember(name: str) -> Any:
        def hook(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
            calls[name] += 1
            last[:] = name, output

        return hook

    def pair(name: str) -> Any:
        def hook(module: nn.Module, given: tuple[Tensor, ...]) -> None:
            calls[name] += 1
            if given[0] is last[1]:
                pairs.append((last[0], name))

        return hook

    handles = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            handles.append(module.register_forward_hook(remember(name)))
        elif isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            handles.append(module.register_forward_pre_hook(pair(name)))
    try:
        seen = network.forward_whole(probe)
    finally:
        for handle in handles:
            handle.remove()
    return seen, [pair for pair in pairs if calls[pair[0]] == calls[pair[1]] == 1]


def _fold(network: ScreenNet, convolution: str, norm: str) -> None:
    conv, batch_norm = network.get_submodule(convolution), network.get_submodule(norm)
    if not isinstance(conv, nn.Conv2d) or not isinstance(batch_norm, nn.BatchNorm2d):
        raise TypeError(f"{convolution} and {norm} are not a convolution and its batch norm")
    # timm's batch norms carry the activation that comes after them.
    after = batch_norm.act if isinstance(batch_norm, BatchNormAct2d) else nn.Identity()
    _replace(network, convolution, fuse_conv_bn_eval(conv, batch_norm))
    _replace(network, norm, after)


def _replace(network: ScreenNet, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, module)
