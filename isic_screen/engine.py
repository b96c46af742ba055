"""What computes a network when photos are screened: ONNX Runtime where it knows the network, otherwise PyTorch.

ONNX Runtime takes less than half of PyTorch's time for the same numbers on a CPU (`python -m benchmarks.engines`), but
wants the network as a graph. The graphs in `graphs/` are those of folded networks without their weights, which come
from the model: a graph is a part of this program, and a model file goes on bringing numbers and nothing that runs.
`python -m deploy.write_graph` writes them.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from isic_screen.folding import alike, folded, probe_of
from isic_screen.log import warn_once
from isic_screen.network import ScreenNet, Whole

# From 1.29 on ONNX Runtime reports sessions and models to its maker, on Linux too, unless this is set before it is
# imported. A screening page must not; the call is for what was imported before us, and for Windows.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime

onnxruntime.disable_telemetry_events()

_log = logging.getLogger(__name__)

Engine = Callable[[Tensor], Whole]
"""What `ScreenNet.forward_whole` says of normalised images (N, 3, size, size); safe to share between threads."""

AT_ONCE = 4
"""Images in one forward pass on a CPU: the activations of more do not stay in its caches, and each takes longer."""
_ON_A_GPU = 64

GRAPHS = Path(__file__).with_name("graphs")
INPUT = "images"
_INSTEAD = "so PyTorch is used: the same answers, in more than twice the time."

PREFIX = "network."
"""Of the names of weights in a graph; the rest is their name in the folded network."""


def engine_of(network: ScreenNet, device: torch.device) -> Engine:
    """The fastest exact way to compute `network` on `device`, made from a copy of it, for any number of images."""
    return in_parts(_one_pass(network, device), AT_ONCE if device.type == "cpu" else _ON_A_GPU)


def in_parts(engine: Engine, size: int) -> Engine:
    """The same for any number of images, at most `size` of them at once."""
    return lambda images: Whole.joined([engine(some) for some in images.split(size)])


def _one_pass(network: ScreenNet, device: torch.device) -> Engine:
    served = folded(network).to(device)
    if device.type == "cpu" and (session := _session(served)) is not None:
        probe = probe_of(served)
        run = _runner(session)
        with torch.no_grad():
            expected = served.forward_whole(probe)
        if alike(run(probe), expected):
            return run
        warn_once(_log, f"ONNX Runtime computes {graph_file(served).stem} otherwise than PyTorch, {_INSTEAD}")
    return lambda images: served.forward_whole(images.to(device, memory_format=torch.channels_last))


def graph_file(network: ScreenNet) -> Path:
    """Where the graph of networks of this shape lies, if there is one."""
    spec = network.input_spec
    turned = "-turned" if spec.members_turned else ""
    return GRAPHS / f"{network.backbone_name}-{network.head.hidden.out_features}-{spec.size}{turned}.onnx"


def _session(served: ScreenNet) -> onnxruntime.InferenceSession | None:
    file = graph_file(served)
    # A batch norm that could not be folded away is one that the graph does not have.
    if not file.is_file() or any(isinstance(module, nn.BatchNorm2d) for module in served.modules()):
        warn_once(_log, f"There is no ONNX Runtime graph for {file.stem}, {_INSTEAD}")
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors alone
    # Its threads would otherwise keep the cores busy while they wait, which decoding needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    weights = {PREFIX + name: np.ascontiguousarray(tensor) for name, tensor in served.state_dict().items()}
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(weight) for weight in weights.values()]
    options.add_external_initializers(list(weights), values)
    return onnxruntime.InferenceSession(file.read_bytes(), options, providers=["CPUExecutionProvider"])


def _runner(session: onnxruntime.InferenceSession) -> Engine:
    def run(images: Tensor) -> Whole:
        found = session.run(list(Whole._fields), {INPUT: images.contiguous().numpy()})
        return Whole(*(torch.from_numpy(array) for array in found))

    return run
