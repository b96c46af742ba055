"""Weights in fewer bits, so that a model file of a larger network, or of two, stays small.

Each row of a weight (O, …) becomes whole numbers times a scale of its own. In 8 bits these are -127 to 127; in 6 bits
-31 to 31, four of them packed into three bytes. What that costs is measured by `python -m benchmarks.engines`.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

HALF = 16
BITS = (HALF, 8, 6)
_LARGE = 50_000
"""Numbers in a weight that is worth storing in few bits. The smaller ones, depthwise and early convolutions, are a
small part of an EfficientNet-Lite; in eight bits they would move its logit several times as far as the large ones."""
_MIDDLING = 10_000
"""Where large weights take six bits, dense ones from here on are a part worth eight."""
_SCALE, _SHAPE = ".scale", ".shape"  # suffixes: of the scales (O,), and of the shape of a weight in six bits
_CLIPS = torch.linspace(0.6, 1, 9)
"""Largest numbers of a row that are tried, as shares of its own: with 63 steps, a finer one can be worth a few that do
not reach. The one is kept that moves the row's weights least, by squares."""


def compressed(tensors: Mapping[str, Tensor], bits: int) -> dict[str, Tensor]:
    """The tensors of a network as a file holds them: in half precision, large weights in `bits` of BITS."""
    if bits not in BITS:
        raise ValueError(f"bits must be one of {BITS}, got {bits}")
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        tensor = tensor.detach().contiguous().cpu()
        match _bits_of(tensor, bits):
            case 6:
                found |= _in_six_bits(name, tensor)
            case 8:
                scale = _largest(tensor) / 127
                found |= {name: _in_steps(tensor, scale, 127).to(torch.int8), name + _SCALE: scale}
            case _:
                found[name] = tensor.half() if tensor.is_floating_point() else tensor
    return found


def in_full(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with weights in few bits as the floats they stand for.

    Raises ValueError for such a weight without its scales, or whose bytes are not as many as its shape asks for.
    """
    found = dict(tensors)
    for name, tensor in tensors.items():
        if tensor.dtype not in (torch.int8, torch.uint8):
            continue
        scale = found.pop(name + _SCALE, None)
        if scale is None or not tensor.ndim or scale.shape != tensor.shape[:1] or not scale.is_floating_point():
            raise ValueError(f"{name} lacks its scales")
        rows = tensor if tensor.dtype == torch.int8 else _rows_of(name, tensor, found.pop(name + _SHAPE, None))
        found[name] = rows * _for_rows(scale, rows)
    return found


def _bits_of(tensor: Tensor, bits: int) -> int:
    if bits == HALF or not tensor.is_floating_point() or tensor.ndim < 2:
        return HALF
    if tensor.numel() >= _LARGE:
        return bits
    dense = tensor.shape[1] > 1  # a depthwise one has one channel for each output
    return 8 if bits == 6 and dense and tensor.numel() >= _MIDDLING else HALF


def _in_six_bits(name: str, weight: Tensor) -> dict[str, Tensor]:
    scales = _CLIPS[:, None] * _largest(weight) / 31
    errors = [(_in_steps(weight, s, 31) * _for_rows(s, weight) - weight).flatten(1).square().sum(1) for s in scales]
    best = torch.stack(errors).argmin(0)
    scale = scales[best, torch.arange(len(weight))]
    return {
        name: packed(_in_steps(weight, scale, 31).flatten(1)),
        name + _SCALE: scale,
        name + _SHAPE: torch.tensor(weight.shape, dtype=torch.int32),
    }


def packed(rows: Tensor) -> Tensor:
    """Whole numbers (O, n) of -32 to 31 as bytes (O, 3 * ceil(n / 4))."""
    missing = -rows.shape[1] % 4
    numbers = torch.nn.functional.pad(rows + 32, (0, missing)).to(torch.int32).unflatten(1, (-1, 4))
    first, second, third, fourth = numbers.unbind(-1)
    three = (first << 2 | second >> 4, second << 4 & 0xFF | third >> 2, third << 6 & 0xFF | fourth)
    return torch.stack(three, -1).flatten(1).to(torch.uint8)


def unpacked(lines: Tensor, count: int) -> Tensor:
    """The `count` whole numbers of each row that `packed` made its bytes of: (O, count)."""
    first, second, third = lines.to(torch.int32).unflatten(1, (-1, 3)).unbind(-1)
    four = (first >> 2, (first & 3) << 4 | second >> 4, (second & 15) << 2 | third >> 6, third & 63)
    return torch.stack(four, -1).flatten(1)[:, :count] - 32


def _rows_of(name: str, lines: Tensor, shape: Tensor | None) -> Tensor:
    sides = [] if shape is None or shape.is_floating_point() or shape.ndim != 1 else shape.tolist()
    count = 1
    for side in sides[1:]:
        count *= side
    fits = lines.ndim == 2 and len(sides) > 1 and min(sides) > 0 and sides[0] == lines.shape[0]
    if not fits or lines.shape[1] != 3 * -(-count // 4):
        raise ValueError(f"{name} lacks its shape, or has not its bytes")
    return unpacked(lines, count).reshape(sides)


def _largest(weight: Tensor) -> Tensor:
    """The largest size of a number in each row (O,)."""
    return weight.flatten(1).abs().amax(1).clamp_min(1e-12)


def _in_steps(weight: Tensor, scale: Tensor, most: int) -> Tensor:
    return (weight / _for_rows(scale, weight)).round().clamp(-most, most)


def _for_rows(scale: Tensor, weight: Tensor) -> Tensor:
    return scale.view(-1, *[1] * (weight.ndim - 1))
