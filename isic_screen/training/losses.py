"""What fine-tuning minimises: the error about melanoma, and about the diagnosis where a source tells it."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from isic_screen.training.recipe import FineTuneRecipe
from isic_screen.training.sampling import NO_DIAGNOSIS


def screening_loss(
    logits: Tensor,
    diagnosis_logits: Tensor,
    targets: Tensor,
    diagnoses: Tensor,
    recipe: FineTuneRecipe,
    shares: Tensor | None = None,
    groups: Tensor | None = None,
) -> Tensor:
    """Cross-entropy of the melanoma logit, with smoothed labels, plus the weighted one of the known diagnoses.

    `shares` (N,) say how much each of the N labels counts; without them each counts 1. With `groups` (N,), numbers of
    what each image belongs to, the first part is tilted to the worst of them by `recipe.camera_tilt`.
    """
    smoothed = targets * (1 - recipe.label_smoothing) + recipe.label_smoothing / 2
    if groups is None or not recipe.camera_tilt:
        loss = binary_cross_entropy_with_logits(logits, smoothed, weight=shares)
    else:
        losses = binary_cross_entropy_with_logits(logits, smoothed, reduction="none")
        loss = tilted_mean(losses, torch.ones_like(losses) if shares is None else shares, groups, recipe.camera_tilt)
    known = diagnoses != NO_DIAGNOSIS
    each = cross_entropy(diagnosis_logits[known], diagnoses[known], reduction="none")
    # Over the whole batch: a batch with few known diagnoses must not make each of them count for more. With none it is
    # 0, and still there: processes that share a batch must all have a gradient of every weight.
    total = each.sum() if shares is None else (each * shares[known]).sum()
    return loss + recipe.diagnosis_weight * total / len(targets)


def tilted_mean(losses: Tensor, shares: Tensor, groups: Tensor, tilt: float) -> Tensor:
    """The mean of N `losses`, each counting by its share, in which groups of a high mean loss count for more.

    Group-level tilting of Li et al., Tilted Empirical Risk Minimization, ICLR 2021: near the plain mean for a small
    `tilt` above 0, and for a large one the loss of the worst group, which is what group DRO minimises.
    """
    _, number = groups.unique(return_inverse=True)
    weights = torch.zeros(int(number.max()) + 1, device=losses.device).index_add_(0, number, shares)
    sums = torch.zeros_like(weights).index_add_(0, number, losses * shares)
    there = weights > 0  # a group may have no share of a batch that is mixed of two, and nor may all of them
    if not there.any():
        return sums.sum()
    weights, sums = weights[there], sums[there]
    total = weights.sum()
    tilted = torch.logsumexp(tilt * sums / weights + (weights / total).log(), 0) / tilt
    return tilted * total / len(losses)


def lesson_loss(
    logits: Tensor, diagnosis_logits: Tensor, melanoma: Tensor, diagnoses: Tensor, recipe: FineTuneRecipe
) -> Tensor:
    """`screening_loss` with the teachers' probabilities, (N,) and (N, D), in place of the labels."""
    loss = binary_cross_entropy_with_logits(logits, melanoma)
    return loss + recipe.diagnosis_weight * cross_entropy(diagnosis_logits, diagnoses)
