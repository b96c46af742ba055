"""What fine-tuning minimises: the error about melanoma, and about the diagnosis where a source tells it."""

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
) -> Tensor:
    """Cross-entropy of the melanoma logit, with smoothed labels, plus the weighted one of the known diagnoses.

    `shares` (N,) say how much each of the N labels counts; without them each counts 1.
    """
    smoothed = targets * (1 - recipe.label_smoothing) + recipe.label_smoothing / 2
    loss = binary_cross_entropy_with_logits(logits, smoothed, weight=shares)
    known = diagnoses != NO_DIAGNOSIS
    each = cross_entropy(diagnosis_logits[known], diagnoses[known], reduction="none")
    # Over the whole batch: a batch with few known diagnoses must not make each of them count for more. With none it is
    # 0, and still there: processes that share a batch must all have a gradient of every weight.
    total = each.sum() if shares is None else (each * shares[known]).sum()
    return loss + recipe.diagnosis_weight * total / len(targets)


def lesson_loss(
    logits: Tensor, diagnosis_logits: Tensor, melanoma: Tensor, diagnoses: Tensor, recipe: FineTuneRecipe
) -> Tensor:
    """`screening_loss` with the teachers' probabilities, (N,) and (N, D), in place of the labels."""
    loss = binary_cross_entropy_with_logits(logits, melanoma)
    return loss + recipe.diagnosis_weight * cross_entropy(diagnosis_logits, diagnoses)
