"""The processes that share the work of one command: a single one, or as many as `accelerate launch` has started.

Every process runs the same program. It computes its share, all get the results of all, and only the main one writes.
"""

import atexit
import gc
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import nn

from isic_screen.errors import ScreenError

if TYPE_CHECKING:
    from accelerate import PartialState

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """This process is number `index` (from 0) of `count`, which may run on several machines."""

    index: int = 0
    count: int = 1
    device: torch.device | None = None
    """The one that this process was given; None when it may choose."""

    @property
    def main(self) -> bool:
        """Whether this is the process that writes files and speaks to the user."""
        return self.index == 0

    def share(self, total: int) -> slice:
        """The rows of `total` that this process sees to. The shares of all are each row once, in order."""
        return slice(total * self.index // self.count, total * (self.index + 1) // self.count)

    def gather(self, value: T) -> list[T]:
        """What each process gives here, in their order. All must call it; what is sent is pickled between them."""
        if self.count == 1:
            return [value]
        found: list[Any] = [None] * self.count
        torch.distributed.all_gather_object(found, value)
        return found

    def gather_rows(self, values: Sequence[T]) -> list[T]:
        """The rows of all shares, in order."""
        return list(chain.from_iterable(self.gather(values)))

    def from_main(self, value: T) -> T:
        """What the main process gives here. All must call it."""
        if self.count == 1:
            return value
        given: list[Any] = [value]
        torch.distributed.broadcast_object_list(given, src=0)
        return given[0]

    def wait(self) -> None:
        """Until all have come here."""
        if self.count > 1:
            torch.distributed.barrier()

    def parallel(self, module: nn.Module) -> nn.Module:
        """`module`, its gradients being the mean of those of all processes; it must be on its device."""
        if self.count == 1:
            return module
        return nn.parallel.DistributedDataParallel(module)


ALONE = Processes()


def device_named(name: str) -> torch.device:
    """Raises ScreenError for a device that this machine does not have."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    # PyTorch raises each of them: for a name it does not know and hardware that is not there (RuntimeError), and for
    # backends that it was built without (the others; hpu is a missing module, mtia an assertion).
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        reason = str(error).splitlines()[0]  # of PyTorch's many words
        raise ScreenError(f"The device {name!r} cannot be used ({reason}). Leave --device out for the CPU.") from error
    return device


@cache
def launched() -> Processes:
    """The processes that `accelerate launch` (or torchrun) started; ALONE without them."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return ALONE
    # Before there is a group of processes: the module keeps the one that it finds as the default of its functions, for
    # ever, and DistributedDataParallel imports it.
    import torch.distributed.nn.functional
    from accelerate import PartialState  # takes seconds, and most commands run alone

    state = PartialState(cpu=not torch.cuda.is_available())
    if state.backend == "gloo":
        atexit.register(_leave, state)
    return Processes(state.process_index, state.num_processes, state.device)


def _leave(state: "PartialState") -> None:
    """End gloo's threads while Python still runs: one that lets go of a tensor later aborts the whole process."""
    gc.collect()  # what a cycle keeps of DistributedDataParallel holds the group, and the group its threads
    state.destroy_process_group()
