"""The state of a training run after an epoch, in one file that is written whole or not at all.

Tensors go to safetensors and everything else to its header as JSON: nothing is pickled, so a checkpoint from a stranger
can be opened without running it.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from isic_screen.errors import TrainingError
from isic_screen.whole_file import save_tensors

StateDict = dict[str, Any]


@dataclass
class Checkpoint:
    """`fingerprint` says what run this is: resuming another one is refused. The rest is the loop's state."""

    fingerprint: str
    history: list[dict[str, float]]
    best_epoch: int
    module: dict[str, Tensor]
    best: dict[str, Tensor]
    optimizer: StateDict
    scheduler: StateDict
    scaler: StateDict


def ended(fingerprint: str, history: list[dict[str, float]], best: dict[str, Tensor]) -> Checkpoint:
    """What is kept of a training that has no more epochs to come: a quarter of what it needed to go on."""
    nothing: StateDict = {"state": {}, "param_groups": []}
    return Checkpoint(fingerprint, history, len(history), {}, best, nothing, {}, {})


def save_checkpoint(path: Path, state: Checkpoint) -> None:
    """Write atomically; the previous checkpoint stays whole until the new one is."""
    tensors = {f"module.{name}": tensor for name, tensor in state.module.items()}
    tensors |= {f"best.{name}": tensor for name, tensor in state.best.items()}
    for parameter, slots in state.optimizer["state"].items():
        tensors |= {f"optimizer.{parameter}.{slot}": tensor for slot, tensor in slots.items()}
    header = {
        "fingerprint": state.fingerprint,
        "history": state.history,
        "best_epoch": state.best_epoch,
        "param_groups": state.optimizer["param_groups"],
        "scheduler": state.scheduler,
        "scaler": state.scaler,
    }
    # Clones, as safetensors refuses tensors that share memory (the best epoch may be the current one).
    whole = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    save_tensors(path, whole, {"checkpoint": json.dumps(header)})


def load_checkpoint(path: Path, fingerprint: str) -> Checkpoint:
    """The state to go on from. TrainingError when the file is damaged or belongs to another recipe or other data."""
    state = read_checkpoint(path)
    if state.fingerprint != fingerprint:
        raise TrainingError(
            f"{path} belongs to a run with another recipe or other data. Give the same ones, or another --out."
        )
    return state


def read_checkpoint(path: Path) -> Checkpoint:
    """The state of any run. Raises TrainingError when the file is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["checkpoint"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise TrainingError(
            f"{path} cannot be read as a checkpoint ({error}). Start again without --resume."
        ) from error
    slots: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, parameter, slot = name.split(".", 2)
            slots.setdefault(int(parameter), {})[slot] = tensor
    return Checkpoint(
        fingerprint=header["fingerprint"],
        history=header["history"],
        best_epoch=header["best_epoch"],
        module=_with_prefix(tensors, "module."),
        best=_with_prefix(tensors, "best."),
        optimizer={"state": slots, "param_groups": header["param_groups"]},
        scheduler=header["scheduler"],
        scaler=header["scaler"],
    )


def _with_prefix(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
