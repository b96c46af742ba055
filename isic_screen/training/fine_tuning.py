"""Fine-tuning a whole network: a fixed number of steps, warm-up and cosine, layer-wise rates, averaged weights.

No epoch is chosen by its validation score: the weights that are kept are the moving average at the end. So a fold's
held-out images stay held out, and all images can go into the final model.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from timm.optim import param_groups_layer_decay
from timm.utils import ModelEmaV3
from torch import Tensor, nn

from isic_screen.errors import RecipeError, TrainingError
from isic_screen.network import ScreenNet
from isic_screen.processes import ALONE, Processes
from isic_screen.progress import Bar, say
from isic_screen.training.checkpoint import Checkpoint, StateDict, ended, load_checkpoint, save_checkpoint
from isic_screen.training.distortion import Part
from isic_screen.training.draws import Distorted, Draws, FromStem, TrainingImages, ahead
from isic_screen.training.losses import lesson_loss, screening_loss
from isic_screen.training.mixup import own_shares, swapped
from isic_screen.training.precision import amp_dtype, autocast, check_finite, fast_depthwise
from isic_screen.training.recipe import FineTuneRecipe
from isic_screen.training.sampling import DIAGNOSES
from isic_screen.training.schedule import rate_at
from isic_screen.training.stem import other_stages
from isic_screen.training.whole_batch import whole_batch

_MOMENTS = (0.9, 0.99)  # a short run: AdamW's usual 0.999 would average over half of it


class WithDiagnosis(nn.Module):
    """The network and, for training only, a linear classifier of the diagnosis on the same features."""

    def __init__(self, network: ScreenNet) -> None:
        super().__init__()
        self.network = network
        self.diagnosis = nn.Linear(network.head.hidden.in_features, len(DIAGNOSES))

    def forward(self, inputs: Tensor, stages: int = 0) -> tuple[Tensor, Tensor]:
        """Logits (N,) of melanoma and (N, len(DIAGNOSES)) of the diagnosis.

        `inputs` are normalised images (N, 3, s, s), or what the first `stages` stages of the backbone said of them.
        """
        if stages:
            features = other_stages(self.network.backbone, inputs, stages).mean((2, 3))
        else:
            features = self.network.features(inputs)
        return self.network.head(features), self.diagnosis(features)


def between(end: StateDict, start: StateDict, share: float) -> StateDict:
    """The weights that are for `share` those of `start`, and for the rest those of `end`.

    Networks that were trained on from the same weights are often joined by a line along which all are good, and the
    mean errs less than either, much as their committee would (Wortsman et al., Model soups, ICML 2022).
    """
    return {
        name: tensor.lerp(start[name].to(tensor), share) if tensor.is_floating_point() else tensor
        for name, tensor in end.items()
    }


def check_shares(recipe: FineTuneRecipe, processes: Processes) -> None:
    """Raise RecipeError when several processes cannot share a batch, or are to tilt the loss."""
    if recipe.camera_tilt and processes.count > 1:
        raise RecipeError("camera_tilt compares the cameras of a whole batch: train in one process, or set it to 0.")
    shares = processes.count * (2 if recipe.mixup else 1)  # the two that are mixed must be in one process
    if recipe.batch_size % shares:
        raise RecipeError(
            f"{processes.count} processes cannot share a batch of {recipe.batch_size} evenly"
            f"{' and in pairs, for mixup' if recipe.mixup else ''}: "
            f"--set batch_size={-(-recipe.batch_size // shares) * shares}."
        )


def parameter_groups(module: WithDiagnosis, recipe: FineTuneRecipe) -> list[dict[str, Any]]:
    """What an optimizer takes: the open stages of the backbone, each with the decay of its layer, and the heads."""
    network = module.network
    groups = param_groups_layer_decay(network.backbone, recipe.weight_decay, layer_decay=recipe.layer_decay)
    heads = [*network.head.parameters(), *module.diagnosis.parameters()]
    groups.append({"params": heads, "lr_scale": 1.0, "weight_decay": recipe.weight_decay})
    return groups


def fine_tune(
    network: ScreenNet,
    images: TrainingImages,
    recipe: FineTuneRecipe,
    *,
    device: torch.device,
    start: StateDict | None = None,
    checkpoint: Path | None = None,
    fingerprint: str = "",
    resume: bool = False,
    quiet: bool = False,
    processes: Processes = ALONE,
) -> list[dict[str, float]]:
    """Train `network` in place, leave it with its averaged weights in eval mode, and return one row an epoch.

    The decay of the average is at most `recipe.ema_decay`: timm warms it up as 1 - n ** (-2 / 3) over n steps, to 0.99
    in 1,000 steps and to 0.998 in 11,180, more than any of our recipes has. An epoch is `recipe.epoch_images` draws.
    `start` are weights of a WithDiagnosis to begin with, which for `recipe.start_share` are kept at the end. With
    `checkpoint` the state is saved after every epoch, and `resume` goes on from it to the weights that the
    uninterrupted run would have had (on the same machine). Several `processes` share every batch and come to the
    weights of one, but for rounding. Raises TrainingError when the loss is not finite, RecipeError as `check_shares`.
    """
    check_shares(recipe, processes)
    quiet = quiet or not processes.main
    torch.manual_seed(recipe.seed)
    module = WithDiagnosis(network)
    if start is not None:
        module.load_state_dict(start)
    module = module.to(device).to(memory_format=torch.channels_last)
    network.freeze_stages(recipe.frozen_stages)
    groups = parameter_groups(module, recipe)
    optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=_MOMENTS, fused=True)
    average = ModelEmaV3(module, decay=recipe.ema_decay, use_warmup=True)
    dtype = amp_dtype(device, recipe.amp)
    scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
    history: list[dict[str, float]] = []

    if resume and checkpoint is not None and checkpoint.is_file():
        saved = load_checkpoint(checkpoint, fingerprint)
        history = saved.history
        average.module.load_state_dict(saved.best)
        if len(history) < recipe.epochs:
            module.load_state_dict(saved.module)
            optimizer.load_state_dict(saved.optimizer)
            if saved.scaler:
                scaler.load_state_dict(saved.scaler)
        say(f"Resumed after epoch {len(history)}.", quiet=quiet)

    parallel = processes.parallel(module)
    draws: Draws
    if images.stem is not None:
        draws = FromStem(images, images.stem, recipe.batch_size, device)
    else:
        draws = Distorted(images, recipe, network.input_spec, device)
    steps = [draws.steps(epoch) for epoch in range(1, recipe.epochs + 1)]
    if not min(steps):
        raise TrainingError("An epoch has too few images for a batch: set epoch_images higher or batch_size lower.")
    stages = recipe.frozen_stages if images.stem is not None else 0
    if images.stem is not None and len(history) < recipe.epochs:
        images.stem.fill(len(history) + 1)
    run = _Run(module, parallel, average, optimizer, scaler, recipe, device, dtype, draws, steps, stages, processes)
    while len(history) < recipe.epochs:
        history.append(run.epoch(len(history) + 1, images, quiet))
        say(_table_row(history[-1]), quiet=quiet)
        finished = len(history) == recipe.epochs
        if start is not None and finished:
            average.module.load_state_dict(between(average.module.state_dict(), start, recipe.start_share))
        if checkpoint is not None and processes.main:
            best = average.module.state_dict()
            if finished:  # the rest was kept to go on with: three quarters of the file
                state = ended(fingerprint, history, best)
            else:
                state = Checkpoint(
                    fingerprint=fingerprint,
                    history=history,
                    best_epoch=len(history),
                    module=module.state_dict(),
                    best=best,
                    optimizer=optimizer.state_dict(),
                    scheduler={},
                    scaler=scaler.state_dict(),
                )
            save_checkpoint(checkpoint, state)
    processes.wait()  # until the checkpoint is there, as what comes next may start from it
    module.load_state_dict(average.module.state_dict())
    network.eval()
    return history


@dataclass(frozen=True)
class _Batch:
    """One process's share of a batch of `total` images: what the network is given, which of the TrainingImages it is,
    and how much of each stays itself (`own_shares`)."""

    inputs: Tensor
    places: NDArray[np.int64]
    own: Tensor
    total: int


@dataclass(frozen=True)
class _Run:
    """What an epoch works on."""

    module: WithDiagnosis
    parallel: nn.Module
    """`module` itself, or what spreads it over several processes."""
    average: ModelEmaV3
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    recipe: FineTuneRecipe
    device: torch.device
    dtype: torch.dtype
    draws: Draws
    steps: list[int]
    """Of each epoch."""
    stages: int
    """How many of the backbone's stages the inputs have been through."""
    processes: Processes

    def epoch(self, epoch: int, images: TrainingImages, quiet: bool) -> dict[str, float]:
        """Train for one epoch (from 1) and return its row of the history."""
        recipe, started = self.recipe, time.perf_counter()
        # Everything random belongs to the epoch, so that a resumed one repeats the first go. Dropout uses torch's own.
        random = np.random.default_rng([recipe.seed, epoch])
        torch.manual_seed(recipe.seed * 100_003 + epoch)
        drawn = self.draws.draw(epoch, random)
        steps, before = self.steps[epoch - 1], sum(self.steps[: epoch - 1])
        self.module.train()
        losses, logits = [], []
        batches = self._batches(epoch, np.split(drawn, steps), random)
        if self.device.type != "cpu":  # its kernels leave the processor time to compress and draw the next images
            batches = ahead(batches)
        for step, batch in enumerate(
            Bar(batches, desc=f"Epoch {epoch}", unit="batch", total=steps, leave=False, disable=quiet)
        ):
            self._set_rates(before + step)
            loss, output = self._step(images, batch)
            check_finite(loss, epoch, step + 1)
            losses.append(loss)
            logits.append(output)
            self.average.update(self.module, step=before + step + 1)
        targets = images.targets[self.draws.places(epoch, drawn)]
        seen_both = 0 < targets.sum() < len(targets)
        # (processes, steps, images of a share): in the order of the draws when steps come first.
        all_logits = np.stack(self.processes.gather(np.stack(logits)), axis=1).reshape(-1)
        return {
            "epoch": epoch,
            "train_loss": float(np.mean(self.processes.gather(np.mean(losses)))),
            "train_auc": float(roc_auc_score(targets, all_logits)) if seen_both else math.nan,
            "learning_rate": self.optimizer.param_groups[-1]["lr"],
            "seconds": time.perf_counter() - started,
        }

    def _batches(self, epoch: int, drawn: list[NDArray[np.int64]], random: np.random.Generator) -> Iterator[_Batch]:
        """This process's share of every batch of an epoch."""
        for some in drawn:
            total = len(some)
            share = self.processes.share(total)
            mine = some[share]
            inputs = self.draws.inputs(epoch, mine, random, Part(share.start, share.stop, total))
            own = own_shares(self.recipe.mixup, total, random)[share.start : share.stop].to(self.device)
            yield _Batch(inputs, self.draws.places(epoch, mine), own, total)

    def _step(self, images: TrainingImages, batch: _Batch) -> tuple[float, NDArray[np.float32]]:
        """Train on this process's share of one batch; returns its loss and its melanoma logits."""
        inputs, places, own = batch.inputs, batch.places, batch.own
        if self.recipe.mixup:
            other = 1 - own.to(inputs.dtype).reshape(-1, 1, 1, 1)
            inputs = inputs.lerp(swapped(inputs), other).contiguous(memory_format=torch.channels_last)
        targets = torch.from_numpy(images.targets[places]).float().to(self.device)
        diagnoses = torch.from_numpy(images.diagnoses[places]).to(self.device)
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.device, self.dtype), fast_depthwise(self.device), whole_batch(self.processes, batch.total):
            logits, diagnosis_logits = self.parallel(inputs, self.stages)
        logits, diagnosis_logits = logits.float(), diagnosis_logits.float()
        groups = None if images.groups is None else torch.from_numpy(images.groups[places]).to(self.device)
        loss = screening_loss(logits, diagnosis_logits, targets, diagnoses, self.recipe, own, groups)
        if self.recipe.mixup:
            others = swapped(targets), swapped(diagnoses)
            theirs = None if groups is None else swapped(groups)
            loss = loss + screening_loss(logits, diagnosis_logits, *others, self.recipe, 1 - own, theirs)
        if (lessons := images.lessons) is not None:
            melanoma = torch.from_numpy(lessons.melanoma[places]).to(self.device)
            likely = torch.from_numpy(lessons.diagnoses[places]).to(self.device)
            if self.recipe.mixup:
                melanoma = melanoma.lerp(swapped(melanoma), 1 - own)
                likely = likely.lerp(swapped(likely), 1 - own[:, None])
            loss = loss.lerp(lesson_loss(logits, diagnosis_logits, melanoma, likely, self.recipe), self.recipe.teaching)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.item(), logits.detach().cpu().numpy()

    def _set_rates(self, step: int) -> None:
        steps = sum(self.steps)
        share = rate_at(step, steps, max(1, round(self.recipe.warm_up * steps)))
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * share * group["lr_scale"]


def _table_row(row: dict[str, float]) -> str:
    return (
        f"epoch {row['epoch']:3.0f}  loss {row['train_loss']:.4f}  AUC on training draws {row['train_auc']:.4f}  "
        f"rate {row['learning_rate']:.1e}  {row['seconds']:.0f} s"
    )
