import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch.nn.functional import binary_cross_entropy_with_logits

from isic_screen.errors import TrainingError
from isic_screen.log import warn_once
from isic_screen.network import Head
from isic_screen.training.batches import FeatureBatches
from isic_screen.training.loop import fit, positive_weight, predict
from isic_screen.training.precision import amp_dtype
from isic_screen.training.recipe import load_recipe

CPU = torch.device("cpu")
RECIPE = replace(load_recipe("paper"), hidden=16, epochs=4, batch_size=16, amp=False, learning_rate=1e-2)


def _batches(seed: int, count: int = 120, *, signal: float = 1.0) -> FeatureBatches:
    random = np.random.default_rng(seed)
    targets = (np.arange(count) % 4 == 0).astype(np.int64)
    views = random.normal(size=(count, 4, 12)).astype(np.float32)
    views[:, :, 0] += signal * 2 * targets[:, None]
    return FeatureBatches(views, np.arange(count), targets, batch_size=RECIPE.batch_size, seed=seed)


def _head() -> Head:
    torch.manual_seed(0)
    return Head(12, RECIPE.hidden, RECIPE.dropout)


def test_training_learns_and_keeps_the_best_epoch():
    head = _head()
    result = fit(head, _batches(0, signal=2), _batches(1, signal=2), RECIPE, device=CPU, quiet=True)
    aucs = [row["validation_auc"] for row in result.history]
    assert max(aucs) > 0.85
    assert result.best_epoch == 1 + aucs.index(max(aucs))
    validation = _batches(1, signal=2)
    assert roc_auc_score(validation.targets, predict(head, validation, CPU)) == pytest.approx(max(aucs))


def test_two_runs_give_the_same_weights():
    first, second = _head(), _head()
    for head in (first, second):
        fit(head, _batches(0), _batches(1), RECIPE, device=CPU, quiet=True)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize("killed_after", [1, 3])
def test_a_killed_run_resumes_to_the_result_of_an_uninterrupted_one(tmp_path, killed_after):
    whole = _head()
    expected = fit(whole, _batches(0), _batches(1), RECIPE, device=CPU, quiet=True)

    checkpoint = tmp_path / "checkpoint.safetensors"
    options = {"device": CPU, "checkpoint": checkpoint, "fingerprint": "x", "quiet": True}
    fit(_head(), _batches(0), _batches(1), replace(RECIPE, epochs=killed_after), **options)
    resumed = _head()
    result = fit(resumed, _batches(0), _batches(1), RECIPE, resume=True, **options)

    assert len(result.history) == RECIPE.epochs
    for ours, theirs in zip(result.history, expected.history, strict=True):
        assert {k: v for k, v in ours.items() if k != "seconds"} == {k: v for k, v in theirs.items() if k != "seconds"}
    assert all(torch.equal(a, b) for a, b in zip(resumed.parameters(), whole.parameters(), strict=True))


def test_training_stops_early_and_lowers_the_rate_when_nothing_improves():
    recipe = replace(RECIPE, epochs=50, stopping_patience=5, plateau_patience=1, plateau_factor=0.1, learning_rate=1e-6)
    result = fit(_head(), _batches(0, signal=0), _batches(1, signal=0), recipe, device=CPU, quiet=True)
    assert len(result.history) == result.best_epoch + 5
    assert result.history[-1]["learning_rate"] < result.history[0]["learning_rate"]


def test_a_loss_that_is_not_finite_stops_with_the_reason():
    training = _batches(0)
    training.views[17] = math.inf
    with pytest.raises(TrainingError, match=r"loss became (nan|inf) in epoch 1.*learning_rate"):
        fit(_head(), training, _batches(1), RECIPE, device=CPU, quiet=True)


def test_pos_weight_is_negatives_over_positives():
    targets = np.array([1] * 584 + [0] * 32542)
    assert positive_weight(RECIPE, targets) == pytest.approx(55.7, abs=0.03)
    assert positive_weight(replace(RECIPE, pos_weight=3.0), targets) == 3.0


def test_the_validation_loss_is_the_weighted_one():
    head, validation = _head(), _batches(1)
    result = fit(head, _batches(0), validation, replace(RECIPE, epochs=1), device=CPU, quiet=True)
    logits = torch.from_numpy(predict(head, validation, CPU))
    expected = binary_cross_entropy_with_logits(
        logits, torch.from_numpy(validation.targets).double(), pos_weight=torch.tensor(3.0).double()
    )
    assert result.history[0]["validation_loss"] == pytest.approx(float(expected))


def test_mixed_precision_trains_to_nearly_the_same():
    exact, mixed = (
        fit(_head(), _batches(0), _batches(1), replace(RECIPE, amp=amp), device=CPU, quiet=True)
        for amp in (False, True)
    )
    assert mixed.history[-1]["validation_auc"] == pytest.approx(exact.history[-1]["validation_auc"], abs=0.03)


def test_precision_follows_device_and_recipe(monkeypatch, caplog):
    warn_once.cache_clear()
    assert amp_dtype(torch.device("cuda")) == torch.float16
    assert amp_dtype(torch.device("cuda"), amp=False) == torch.float32
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    assert amp_dtype(CPU) == torch.bfloat16
    assert caplog.messages == []
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False})
    assert amp_dtype(CPU) == amp_dtype(CPU) == torch.float32
    assert caplog.messages == ["This device (cpu) does not compute in bf16: fp32 is used, which takes longer."]


def test_every_epoch_sees_every_image_once_in_another_order_and_view():
    batches = _batches(0)
    epochs = []
    for epoch in (1, 2, 1):
        inputs, targets, _ = zip(*batches.training(epoch), strict=True)
        epochs.append((torch.cat(inputs), torch.cat(targets)))
    (first, first_targets), (second, _), (again, _) = epochs
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert len(first) == len(batches.targets)
    assert first_targets.sum() == batches.targets.sum()
    # Augmented views only: view 0 is how the image is served.
    plain = {row.tobytes() for row in batches.views[:, 0]}
    assert not any(row.numpy().tobytes() in plain for row in first)
