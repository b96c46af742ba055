"""Automatic mixed precision: which number format this device is fast in."""

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


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
    return torch.bfloat16 if device.type == "cpu" and has_bf16 else torch.float32


def autocast(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """The autocast context for `dtype`; for fp32 it changes nothing."""
    lower = dtype != torch.float32
    return torch.autocast(device.type, dtype if lower else None, enabled=lower)


class FastDepthwise(TorchFunctionMode):
    """A context in which depthwise convolutions on a CPU keep bf16 forwards but go backwards in fp32.

    oneDNN's bf16 backward of a depthwise convolution takes 3 to 6 times as long as its fp32 one, and it is most of a
    training step of an EfficientNet. The gradients are a little more exact for it.
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
        needed = [ctx.needs_input_grad[0], ctx.needs_input_grad[1], False]
        for_inputs, for_weight, _ = torch.ops.aten.convolution_backward(
            gradients[0].float().contiguous(memory_format=torch.channels_last),
            inputs.float().contiguous(memory_format=torch.channels_last),
            weight.float(),
            None,
            ctx.stride,
            ctx.padding,
            (1, 1),
            False,
            (0, 0),
            inputs.shape[1],
            needed,
        )
        return (
            for_inputs.to(inputs.dtype) if needed[0] else None,
            for_weight.to(weight.dtype) if needed[1] else None,
            None,
            None,
        )


def _pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[-1]))
