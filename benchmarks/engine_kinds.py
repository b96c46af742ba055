"""The ways to run the network that `benchmarks.engines` compares."""

import copy
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from isic_screen.artifact import as_stored
from isic_screen.engine import AT_ONCE, engine_of
from isic_screen.folding import folded
from isic_screen.network import ScreenNet

Answer = tuple[Tensor, Tensor]
"""Logits (N,) and signed evidence maps (N, h, w), fp32."""
Engine = Callable[[Tensor], Answer]
"""From normalised images (N, 3, size, size), channels first, as they leave `InputSpec`."""

BEFORE = "as trained: eager fp32, channels first"
KEPT = "ONNX Runtime fp32, four at a time, the program's graph"
STORED = {8: "the same, large weights stored in eight bits", 6: "the same, large weights stored in six bits"}


@dataclass(frozen=True)
class Kind:
    """How an engine is made of a network in eval mode and a sample of images to learn its number ranges from."""

    make: Callable[[ScreenNet, Tensor], Engine]
    lossy: bool = False
    """Whether it computes in fewer bits, so that its AUC has to be measured."""


class _Tuples(nn.Module):
    """What `forward_whole` says, as the plain tuple that exporters want."""

    def __init__(self, network: ScreenNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Answer:
        seen = self.network.forward_whole(images)
        return seen.logits, seen.evidence


def _eager(network: nn.Module, *, last: bool = False, dtype: torch.dtype | None = None, size: int = 0) -> Engine:
    layout = torch.channels_last if last else torch.contiguous_format
    module = network.to(memory_format=layout)

    def run(images: Tensor) -> Answer:
        with torch.inference_mode(), torch.autocast("cpu", dtype, enabled=dtype is not None):
            placed = images.contiguous(memory_format=layout)
            parts = [module(part) for part in placed.split(size or len(placed))]
        logits, evidence = (torch.cat(each).float() for each in zip(*parts, strict=True))
        return logits, evidence

    return run


def _own(network: ScreenNet) -> _Tuples:
    return _Tuples(copy.deepcopy(network)).eval()


def _served(network: ScreenNet) -> _Tuples:
    return _Tuples(folded(network)).eval()


def _compiled(network: ScreenNet, sample: Tensor) -> Engine:
    engine = _eager(torch.compile(_served(network), dynamic=False), last=True)  # type: ignore[arg-type]
    engine(sample[:1])  # compiles, or raises RuntimeError where there is no compiler
    return engine


def _exported(network: ScreenNet, sample: Tensor) -> Engine:
    count = {0: torch.export.Dim("count", min=2, max=64)}
    with torch.no_grad():
        program = torch.export.export(_served(network), (sample[:2],), dynamic_shapes=(count,))
    many = _eager(program.module(), last=True)
    with torch.no_grad():
        one = _eager(torch.export.export(_served(network), (sample[:1],)).module(), last=True)
    return lambda images: one(images) if len(images) == 1 else many(images)


def _kept(network: ScreenNet, _: Tensor) -> Engine:
    engine = engine_of(network, torch.device("cpu"))

    def run(images: Tensor) -> Answer:
        with torch.inference_mode():
            seen = engine(images)
        return seen.logits, seen.evidence

    return run


def _onnx(network: ScreenNet, sample: Tensor, quantised: str = "") -> Engine:
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.onnx"
        count = {0: torch.export.Dim("count", min=1, max=64)}
        torch.onnx.export(
            _own(folded(network).to(memory_format=torch.contiguous_format)),
            (sample[:2],),
            file,
            input_names=["images"],
            output_names=["logits", "evidence"],
            dynamic_shapes=(count,),
            external_data=False,
            verbose=False,
        )
        if quantised:
            file = _quantised(file, sample, quantised)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(file.read_bytes(), options, providers=["CPUExecutionProvider"])

    def run(images: Tensor) -> Answer:
        logits, evidence = session.run(None, {"images": images.numpy()})
        return torch.from_numpy(logits), torch.from_numpy(evidence)

    return run


def _quantised(file: Path, sample: Tensor, how: str) -> Path:
    from onnxruntime import quantization

    found = file.with_name("quantised.onnx")
    if how == "dynamic":
        quantization.quantize_dynamic(file, found, weight_type=quantization.QuantType.QUInt8)
        return found
    prepared = file.with_name("prepared.onnx")
    quantization.quant_pre_process(file, prepared, skip_symbolic_shape=True)
    quantization.quantize_static(
        prepared,
        found,
        _Sample(sample),
        quant_format=quantization.QuantFormat.QDQ,
        op_types_to_quantize=["Conv"],
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
    )
    return found


class _Sample:
    """Images for the quantiser to see the activations' ranges on (its CalibrationDataReader)."""

    def __init__(self, images: Tensor) -> None:
        self.parts = iter(images.split(1))

    def get_next(self) -> dict[str, Any] | None:
        part = next(self.parts, None)
        return None if part is None else {"images": part.numpy()}

    # onnxruntime asks this of readers only when it is told to take the sample in strides, which `_quantised` does not.
    def set_range(self, start_index: int, end_index: int) -> None:
        raise NotImplementedError("the sample is read once, from its start")


KINDS: dict[str, Kind] = {
    BEFORE: Kind(lambda network, _: _eager(_own(network))),
    "channels last": Kind(lambda network, _: _eager(_own(network), last=True)),
    "folded": Kind(lambda network, _: _eager(_served(network))),
    "folded, channels last": Kind(lambda network, _: _eager(_served(network), last=True)),
    "folded, channels last, four at a time": Kind(lambda network, _: _eager(_served(network), last=True, size=AT_ONCE)),
    "the same, torch.export": Kind(_exported),
    "the same, torch.compile": Kind(_compiled),
    "ONNX Runtime fp32": Kind(_onnx),
    KEPT: Kind(_kept),
    STORED[8]: Kind(lambda network, sample: _kept(as_stored(network, bits=8), sample), lossy=True),
    STORED[6]: Kind(lambda network, sample: _kept(as_stored(network, bits=6), sample), lossy=True),
    "bf16 autocast, four at a time": Kind(
        lambda network, _: _eager(_served(network), last=True, dtype=torch.bfloat16, size=AT_ONCE), lossy=True
    ),
    "ONNX Runtime int8, static": Kind(lambda network, sample: _onnx(network, sample, "static"), lossy=True),
    "ONNX Runtime int8, dynamic": Kind(lambda network, sample: _onnx(network, sample, "dynamic"), lossy=True),
}


def made(kind: Kind, network: ScreenNet, sample: Sequence[Tensor] | Tensor) -> tuple[Engine | None, str]:
    """The engine, or None and why it cannot be made here."""
    try:
        return kind.make(network, torch.stack(list(sample))), ""
    except ImportError as error:
        return None, f"not installed: {error.name}"
    except RuntimeError as error:
        return None, str(error).strip().splitlines()[0][:200]
