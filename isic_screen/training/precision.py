"""Automatic mixed precision: which number format this device is fast in."""

import logging
import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.overrides import TorchFunctionMode

from isic_screen.errors import TrainingError
from isic_screen.log import warn_once

_log = logging.getLogger(__name__)


def amp_dtype(device: torch.device, amp: bool = True) -> torch.dtype:
    """fp16 on CUDA, bf16 on a CPU that computes in it, fp32 otherwise or when `amp` is off."""
    if not amp:
        return torch.float32
    if device.type == "cuda":
        return torch.float16
    # Without the instructions bf16 is emulated, several times slower than fp32. PyTorch releases that cannot tell
    # (before get_capabilities) get fp32: slower, never wrong.
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    has_bf16 = any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    if device.type == "cpu" and has_bf16:
        return torch.bfloat16
    warn_once(_log, f"This device ({device.type}) does not compute in bf16: fp32 is used, which takes longer.")
    return torch.float32


def autocast(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """The autocast context for `dtype`; for fp32 it changes nothing."""
    lower = dtype != torch.float32
    return torch.autocast(device.type, dtype if lower else None, enabled=lower)


def check_finite(loss: float, epoch: int, batch: int) -> None:
    """Raise TrainingError for a loss that is no number, as where fp16 overflows; `batch` and `epoch` are from 1."""
    if not math.isfinite(loss):
        raise TrainingError(
            f"The loss became {loss} in epoch {epoch}, batch {batch}. Lower learning_rate, or turn mixed precision off "
            "with --set amp=false; the last checkpoint is from before."
        )


def fast_depthwise(device: torch.device) -> AbstractContextManager[Any]:
    """`FastDepthwise` where it is of use; elsewhere nothing, as it would take time from every call of torch."""
    return FastDepthwise() if device.type == "cpu" else nullcontext()


class FastDepthwise(TorchFunctionMode):
    """A context in which depthwise convolutions in bf16 on a CPU go backwards another way than oneDNN's.

    Its backward pass of a depthwise convolution takes 3 to 80 times as long as the forward one, most of it for the
    weights of 5 x 5 kernels and for strides in bf16, and is most of a training step of an EfficientNet. The same
    gradients come out of forward convolutions and of the backward pass of 3 x 3 kernels, which are fast.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.nn.functional.conv2d or func is torch.conv2d:
            names = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
            # A call gives as many by position as it likes, so the names may outnumber them.
            given: dict[str, Any] = {**dict(zip(names, args, strict=False)), **(kwargs or {})}
            inputs, weight = given["input"], given["weight"]
            depthwise = given.get("groups", 1) == inputs.shape[1] > 1 == weight.shape[1]
            plain = given.get("bias") is None and _pair(given.get("dilation", 1)) == (1, 1)
            if depthwise and plain and inputs.dtype == torch.bfloat16 and inputs.device.type == "cpu":
                stride, padding = _pair(given.get("stride", 1)), _pair(given.get("padding", 0))
                return _Depthwise.apply(inputs, weight, stride, padding)
        return func(*args, **(kwargs or {}))


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        ctx.stride, ctx.padding = stride, padding
        return torch.conv2d(inputs, weight.to(inputs.dtype), None, stride, padding, 1, inputs.shape[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        lower = weight.to(inputs.dtype)
        needs_inputs, needs_weight, *_ = ctx.needs_input_grad
        return (
            gradient_of_inputs(inputs.shape, lower, gradient, ctx.stride, ctx.padding) if needs_inputs else None,
            gradient_of_weight(inputs, lower, gradient, ctx.stride, ctx.padding).to(weight.dtype)
            if needs_weight
            else None,
            None,
            None,
        )


def gradient_of_inputs(
    shape: torch.Size, weight: Tensor, gradient: Tensor, stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    """The gradient (N, C, H, W) = `shape` of a depthwise convolution's inputs, from that of its outputs.

    It is the convolution of `gradient`, with zeros between its values for a stride, and the turned kernel.
    """
    sides = list(zip(weight.shape[2:], padding, strict=True))
    if stride != (1, 1):
        # As many rows and columns as a stride of 1 would have given, so that none is lost at the end.
        high, wide = (side - kernel + 1 + 2 * edge for side, (kernel, edge) in zip(shape[2:], sides, strict=True))
        spread = gradient.new_zeros(shape[0], high, wide, shape[1])
        spread[:, : high : stride[0], : wide : stride[1]] = gradient.permute(0, 2, 3, 1)
        gradient = spread.permute(0, 3, 1, 2)
    around = [kernel - 1 - edge for kernel, edge in sides]
    return torch.conv2d(gradient, weight.flip(2, 3), None, 1, around, 1, weight.shape[0])


def gradient_of_weight(
    inputs: Tensor, weight: Tensor, gradient: Tensor, stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    """The gradient of a depthwise convolution's `weight` (C, 1, k, k), a kernel of 5 x 5 in four parts of 3 x 3."""
    if weight.shape[2:] != (5, 5):
        return _gradient_of_weight(inputs, weight, gradient, stride, padding)
    # In the order in which they lie in memory, so that parts are copied in long stretches.
    lying = pad(inputs.permute(0, 2, 3, 1), (0, 0, padding[1], padding[1], padding[0], padding[0]))
    high, wide = ((side - 1) * step + 3 for side, step in zip(gradient.shape[2:], stride, strict=True))
    found, part = torch.empty_like(weight), weight[:, :, :3, :3].contiguous()
    for top in (0, 2):
        for left in (0, 2):
            some = lying[:, top : top + high, left : left + wide].contiguous().permute(0, 3, 1, 2)
            found[:, :, top : top + 3, left : left + 3] = _gradient_of_weight(some, part, gradient, stride, (0, 0))
    return found


def _gradient_of_weight(
    inputs: Tensor, weight: Tensor, gradient: Tensor, stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    channels, wanted = inputs.shape[1], [False, True, False]
    _, found, _ = torch.ops.aten.convolution_backward(
        gradient, inputs, weight, None, stride, padding, (1, 1), False, (0, 0), channels, wanted
    )
    return found


def _pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[-1]))
