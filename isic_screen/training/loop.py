"""The training loop: epochs, mixed precision, learning-rate plateau, early stopping, checkpoints."""

import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from isic_screen.processes import ALONE, Processes
from isic_screen.progress import Bar, say
from isic_screen.training.batches import Batches
from isic_screen.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from isic_screen.training.precision import amp_dtype, autocast, check_finite
from isic_screen.training.recipe import HeadRecipe
from isic_screen.training.whole_batch import whole_batch


@dataclass(frozen=True)
class Fit:
    """A finished training: one row of `history` an epoch, and which epoch (from 1) the module now holds."""

    history: list[dict[str, float]]
    best_epoch: int


def positive_weight(recipe: HeadRecipe, targets: NDArray[np.int64]) -> float:
    """The recipe's `pos_weight`; "balanced" is negatives / positives of these targets (both classes present)."""
    if recipe.pos_weight != "balanced":
        return recipe.pos_weight
    positives = int(targets.sum())
    return (len(targets) - positives) / positives


def predict(
    module: nn.Module, batches: Batches, device: torch.device, processes: Processes = ALONE
) -> NDArray[np.float64]:
    """Logits (N,) of a part in order, in fp32, dropout off."""
    module.eval()
    with torch.inference_mode():
        logits = [module(inputs.to(device)).double().cpu().numpy() for inputs in batches.plain()]
    return np.concatenate(processes.gather_rows(logits))


def fit(
    module: nn.Module,
    training: Batches,
    validation: Batches,
    recipe: HeadRecipe,
    *,
    device: torch.device,
    checkpoint: Path | None = None,
    fingerprint: str = "",
    resume: bool = False,
    quiet: bool = False,
    processes: Processes = ALONE,
) -> Fit:
    """Train `module` (inputs -> logits (B,)) and leave it with the weights of the epoch of best validation AUC.

    Both parts need both classes. With `checkpoint` the state is saved after every epoch, and `resume` goes on from it
    to the result that the uninterrupted run would have had. Several `processes`, which the batches must know as well,
    come to the result of one, but for rounding. Raises TrainingError when the loss is not finite.
    """
    quiet = quiet or not processes.main
    module.to(device)
    parallel = processes.parallel(module)
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=recipe.learning_rate)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="max", factor=recipe.plateau_factor, patience=recipe.plateau_patience
    )
    dtype = amp_dtype(device, recipe.amp)
    scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
    weight = torch.tensor(positive_weight(recipe, training.targets), device=device)
    state = _Progress(history=[], best_epoch=0, best=_trainable_state(module))

    if resume and checkpoint is not None and checkpoint.is_file():
        saved = load_checkpoint(checkpoint, fingerprint)
        module.load_state_dict({**module.state_dict(), **saved.module})
        optimizer.load_state_dict(saved.optimizer)
        scheduler.load_state_dict(saved.scheduler)
        if saved.scaler:
            scaler.load_state_dict(saved.scaler)
        state = _Progress(saved.history, saved.best_epoch, saved.best)
        say(f"Resumed after epoch {len(state.history)}.", quiet=quiet)

    say("epoch  train loss  val loss  val AUC  learning rate  seconds", quiet=quiet)
    for row in state.history:
        say(_table_row(row), quiet=quiet)
    while len(state.history) < recipe.epochs and not state.stalled(recipe.stopping_patience):
        epoch = len(state.history) + 1
        started = time.perf_counter()
        learning_rate = optimizer.param_groups[0]["lr"]
        # Dropout draws from torch's own stream: seeding it by epoch makes a resumed epoch equal to the first go.
        torch.manual_seed(recipe.seed * 100_003 + epoch)
        train_loss = _train_epoch(parallel, training, epoch, optimizer, scaler, weight, dtype, device, quiet, processes)
        logits = predict(module, validation, device, processes)
        auc = float(roc_auc_score(validation.targets, logits))
        scheduler.step(auc)
        row = {
            "epoch": epoch,
            "train_loss": train_loss,
            "validation_loss": _weighted_loss(logits, validation.targets, float(weight)),
            "validation_auc": auc,
            "learning_rate": learning_rate,
            "seconds": time.perf_counter() - started,
        }
        state.add(row, module)
        say(_table_row(row), quiet=quiet)
        if checkpoint is not None and processes.main:
            whole = Checkpoint(
                fingerprint=fingerprint,
                history=state.history,
                best_epoch=state.best_epoch,
                module=_trainable_state(module),
                best=state.best,
                optimizer=optimizer.state_dict(),
                scheduler=scheduler.state_dict(),
                scaler=scaler.state_dict(),
            )
            save_checkpoint(checkpoint, whole)
    module.load_state_dict({**module.state_dict(), **state.best})
    module.eval()
    say(f"Best epoch: {state.best_epoch}", quiet=quiet)
    return Fit(state.history, state.best_epoch)


@dataclass
class _Progress:
    history: list[dict[str, float]]
    best_epoch: int
    best: dict[str, Tensor]

    def add(self, row: dict[str, float], module: nn.Module) -> None:
        best = max((earlier["validation_auc"] for earlier in self.history), default=-math.inf)
        self.history.append(row)
        if row["validation_auc"] > best:
            self.best_epoch = int(row["epoch"])
            self.best = _trainable_state(module)

    def stalled(self, patience: int) -> bool:
        return len(self.history) - self.best_epoch >= patience


def _train_epoch(
    module: nn.Module,
    training: Batches,
    epoch: int,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    weight: Tensor,
    dtype: torch.dtype,
    device: torch.device,
    quiet: bool,
    processes: Processes,
) -> float:
    """Mean loss of one epoch."""
    module.train()
    total, count = 0.0, 0
    batches = Bar(
        training.training(epoch), total=len(training), desc=f"Epoch {epoch}", unit="batch", leave=False, disable=quiet
    )
    for step, (inputs, targets, batch_size) in enumerate(batches):
        inputs, targets = inputs.to(device), targets.to(device)
        optimizer.zero_grad(set_to_none=True)
        with autocast(device, dtype), whole_batch(processes, batch_size):
            logits = module(inputs)
        # Outside autocast: the exponentials of the loss need fp32.
        losses = binary_cross_entropy_with_logits(logits.float(), targets, pos_weight=weight, reduction="sum")
        # The mean over the processes, which is what they make of their gradients, is the mean over the batch.
        loss = losses * (processes.count / batch_size)
        check_finite(loss.item(), epoch, step + 1)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        total += losses.item()
        count += batch_size
    return sum(processes.gather(total)) / count


def _weighted_loss(logits: NDArray[np.float64], targets: NDArray[np.int64], weight: float) -> float:
    loss = binary_cross_entropy_with_logits(
        torch.from_numpy(logits), torch.from_numpy(targets).double(), pos_weight=torch.tensor(weight).double()
    )
    return float(loss)


def _trainable_state(module: nn.Module) -> dict[str, Tensor]:
    """A copy of what training changes; the frozen backbone is the same in every checkpoint and left out."""
    frozen = {name for name, parameter in module.named_parameters() if not parameter.requires_grad}
    if getattr(module, "backbone_frozen", False):  # its batch-norm buffers stand still as well
        frozen |= {name for name in module.state_dict() if name.startswith("backbone.")}
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items() if name not in frozen}


def _table_row(row: dict[str, float]) -> str:
    return (
        f"{row['epoch']:5.0f}  {row['train_loss']:10.4f}  {row['validation_loss']:8.4f}  {row['validation_auc']:7.4f}  "
        f"{row['learning_rate']:13.1e}  {row['seconds']:7.1f}"
    )
