"""Automatic mixed precision: which number format this device is fast in."""

from typing import Any

import torch


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
