"""Networks that were trained apart, as one network: its logit is the mean of theirs.

An ensemble (ensemble.py) averages the answers of model files. A committee is a ScreenNet like any other: one file, one
calibration, one table of thresholds, all measured on it as a whole, and an evidence map in closed form. Its backbones
stand side by side, and its head is theirs in one.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from isic_screen.network import Head, ScreenNet, SideBySide


def committee_of(networks: Sequence[ScreenNet]) -> ScreenNet:
    """The mean of `networks`, in eval mode; it takes their backbones as they are, without a copy.

    Each is shown a photo another way round (`InputSpec.members_turned`): what they say in error is then less alike, for
    no more time.

    Raises ValueError unless they have the same backbone, head and input, and there are at least two.
    """
    if len(networks) < 2:
        raise ValueError("a committee needs at least two networks")
    shapes = {(n.backbone_name, n.head.hidden.out_features, n.input_spec) for n in networks}
    if len(shapes) > 1:
        raise ValueError("the networks of a committee must have the same backbone, head and input")
    first = networks[0]
    backbone = SideBySide([network.backbone for network in networks], turned=True)
    spec = replace(first.input_spec, members_turned=True)
    name = "+".join(network.backbone_name for network in networks)
    return ScreenNet(name, backbone, spec, _head_of([network.head for network in networks])).eval()


def _head_of(heads: Sequence[Head]) -> Head:
    """One head on the features of all, side by side, whose logit is the mean of theirs."""
    hidden = [head.hidden.weight.detach() for head in heads]
    together = Head(sum(h.shape[1] for h in hidden), sum(h.shape[0] for h in hidden), heads[0].dropout.p)
    parameters: dict[str, Tensor] = {
        "hidden.weight": torch.block_diag(*hidden),
        "hidden.bias": torch.cat([head.hidden.bias.detach() for head in heads]),
        "out.weight": torch.cat([head.out.weight.detach() for head in heads], 1) / len(heads),
        "out.bias": torch.stack([head.out.bias.detach() for head in heads]).mean(0),
    }
    together.load_state_dict(parameters)
    return together
