"""Batch norm and dropout as if a batch that several processes share were in one of them.

Each process would else normalise by the statistics of its own few images (4 of a batch of 32 on eight GPUs) and draw a
dropout mask of its own: the model would depend on how many processes trained it.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import batch_norm, dropout
from torch.overrides import TorchFunctionMode

from isic_screen.processes import Processes


def whole_batch(processes: Processes, total: int) -> AbstractContextManager[Any]:
    """`WholeBatch` where several processes share one; elsewhere nothing, as it would take time from every call."""
    return WholeBatch(processes, total) if processes.count > 1 else nullcontext()


class WholeBatch(TorchFunctionMode):
    """A context for the forward pass of a batch of `total` images, of which this process has its `processes.share`.

    Needs no special modules, so that the same network trains alone and with others. Shares may differ in size.
    """

    def __init__(self, processes: Processes, total: int) -> None:
        super().__init__()
        self.processes, self.total = processes, total

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if self.processes.count > 1:
            if func is batch_norm:
                return self._batch_norm(*args, **(kwargs or {}))
            if func is dropout:
                return self._dropout(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _batch_norm(
        self,
        images: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        """torch's batch_norm of (N, C, …), with mean and variance over the images of all processes."""
        if not training:
            return batch_norm(images, running_mean, running_var, weight, bias, False, momentum, eps)
        values = images.float()  # as torch does, whatever autocast's type is
        others = [0, *range(2, values.ndim)]
        count = self.total * (values[0, 0].numel() if len(values) else 1)
        sums = torch.stack([values.sum(others), values.square().sum(others)])
        mean, mean_square = (_sum_of_all(sums) / count).unbind()
        variance = (mean_square - mean.square()).clamp_min(0)
        with torch.no_grad():
            if running_mean is not None:
                running_mean.lerp_(mean, momentum)
            if running_var is not None:
                running_var.lerp_(variance * (count / max(1, count - 1)), momentum)
        scale = torch.rsqrt(variance + eps)
        if weight is not None:
            scale = scale * weight
        shift = -mean * scale if bias is None else bias - mean * scale
        shape = (1, -1, *[1] * (values.ndim - 2))
        return (values * scale.view(shape) + shift.view(shape)).to(images.dtype)

    def _dropout(self, values: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        """torch's dropout, its mask being the share's rows of one that is drawn for the whole batch."""
        if not training or p == 0:
            return values
        kept = torch.empty((self.total, *values.shape[1:]), dtype=values.dtype, device=values.device)
        kept.bernoulli_(1 - p).div_(1 - p)
        return values * kept[self.processes.share(self.total)]


class _SumOfAll(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        # Every process's loss depends on this process's values, so their gradients add up.
        total = gradients[0].clone()
        torch.distributed.all_reduce(total)
        return total


def _sum_of_all(values: Tensor) -> Tensor:
    return _SumOfAll.apply(values)
