"""The loss in which cameras and classes that do badly count for more."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from isic_screen.data.tables import read_sources
from isic_screen.errors import RecipeError
from isic_screen.network import build_network
from isic_screen.processes import Processes
from isic_screen.training.draws import TrainingImages
from isic_screen.training.fine_tuning import fine_tune
from isic_screen.training.losses import screening_loss, tilted_mean
from isic_screen.training.sampling import FEW, NO_DIAGNOSIS, camera_groups
from isic_screen.training.setting import Setting
from isic_screen.training.whole_network import WholeNetwork
from tests.small_recipe import small_recipe

CPU = torch.device("cpu")
LOSSES = torch.tensor([0.2, 0.4, 1.0, 2.0])
SHARES = torch.tensor([1.0, 0.5, 1.0, 0.5])
GROUPS = torch.tensor([7, 7, 3, 3])
RECIPE = small_recipe(epochs=1, epoch_images=8, stem_uses=0, from_teacher=False, dropout=0.0)


def test_a_small_tilt_gives_the_mean_and_a_large_one_the_worst_group():
    mean = float((LOSSES * SHARES).sum() / 4)
    assert float(tilted_mean(LOSSES, SHARES, GROUPS, 1e-4)) == pytest.approx(mean, rel=1e-3)
    worst = (1.0 + 0.5 * 2.0) / 1.5  # of the group 3; all shares together are 3 of 4
    assert float(tilted_mean(LOSSES, SHARES, GROUPS, 100.0)) == pytest.approx(worst * 3 / 4, rel=1e-2)


def test_the_tilt_is_that_of_the_formula():
    means, parts = np.array([(0.2 + 0.5 * 0.4) / 1.5, (1.0 + 0.5 * 2.0) / 1.5]), np.array([0.5, 0.5])
    expected = np.log((parts * np.exp(2 * means)).sum()) / 2 * 3 / 4
    assert float(tilted_mean(LOSSES, SHARES, GROUPS, 2.0)) == pytest.approx(expected, rel=1e-5)


def test_the_worse_group_gets_the_larger_gradient_within_a_group_all_the_same():
    losses = LOSSES.clone().requires_grad_()
    tilted_mean(losses, torch.ones(4), GROUPS, 2.0).backward()
    assert losses.grad is not None
    assert losses.grad[0] == losses.grad[1] < losses.grad[2] == losses.grad[3]
    assert float(losses.grad.sum()) == pytest.approx(1, rel=1e-5)


def test_a_group_without_a_share_does_not_count():
    shares = torch.tensor([1.0, 1.0, 0.0, 0.0])
    losses = LOSSES.clone().requires_grad_()
    found = tilted_mean(losses, shares, GROUPS, 2.0)
    assert found.item() == pytest.approx(float(LOSSES[:2].sum()) / 4)
    found.backward()
    assert losses.grad is not None
    assert losses.grad.isfinite().all()


def test_without_any_share_the_loss_is_nothing():
    assert tilted_mean(LOSSES, torch.zeros(4), GROUPS, 2.0).item() == 0


def test_the_screening_loss_is_tilted_only_when_the_recipe_says_so():
    logits, targets = torch.tensor([2.0, 2.0, -1.0, 0.5]), torch.tensor([1.0, 0.0, 0.0, 1.0])
    rest = torch.zeros(4, 7), targets, torch.full((4,), NO_DIAGNOSIS)
    plain = screening_loss(logits, *rest, RECIPE)
    assert screening_loss(logits, *rest, RECIPE, None, GROUPS) == plain
    tilted = replace(RECIPE, camera_tilt=1.0)
    assert screening_loss(logits, *rest, tilted) == plain
    assert screening_loss(logits, *rest, tilted, None, GROUPS) > plain


def test_cameras_and_classes_have_numbers_of_their_own():
    kinds = [(width, target) for width in (600.0, 900.0) for target in (0, 1) for _ in range(FEW)]
    rows = pd.DataFrame(kinds, columns=["width", "target"]).assign(source="a", height=400.0)
    assert camera_groups(rows).tolist() == np.arange(4).repeat(FEW).tolist()


@pytest.mark.parametrize("mixup", [0.0, 0.4])
def test_training_minimises_the_tilted_loss(mixup):
    random = np.random.default_rng(0)
    targets = np.arange(24) % 2
    pixels = random.integers(0, 256, (24, 64, 64, 3), np.uint8)
    images = TrainingImages(pixels, np.arange(24), targets, targets * 0 + NO_DIAGNOSIS, np.ones(24), groups=targets)
    losses = {}
    for tilt in (0.0, 5.0):
        torch.manual_seed(0)
        network = build_network("tf_efficientnet_lite0", weights="imagenet", hidden=16, input_size=64)
        recipe = replace(RECIPE, camera_tilt=tilt, mixup=mixup)
        (row,) = fine_tune(network, images, recipe, device=CPU, quiet=True)
        losses[tilt] = row["train_loss"]
    assert losses[5.0] > losses[0.0]  # of the same batch by the same network


def test_several_processes_do_not_tilt():
    images = TrainingImages(np.zeros((1, 64, 64, 3), np.uint8), *np.zeros((3, 1), np.int64), np.ones(1))
    network = build_network("tf_efficientnet_lite0", weights="imagenet", hidden=16, input_size=64)
    with pytest.raises(RecipeError, match="camera_tilt compares the cameras of a whole batch"):
        fine_tune(network, images, replace(RECIPE, camera_tilt=1.0), device=CPU, quiet=True, processes=Processes(0, 2))


@pytest.mark.parametrize("tilt", [0.0, 1.0])
def test_a_run_knows_its_cameras_when_they_matter(tilt, lesion_folder, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "isic_screen.training.whole_network.fine_tune", lambda network, images, recipe, **_: seen.append(images) or []
    )
    run = WholeNetwork.prepare(
        read_sources([lesion_folder]), replace(RECIPE, camera_tilt=tilt), Setting(tmp_path, tmp_path, CPU, 2)
    )
    run.fit(run.rows, tmp_path / "checkpoint.safetensors")
    if tilt:
        np.testing.assert_array_equal(seen[0].groups, camera_groups(run.rows))
    else:
        assert seen[0].groups is None
