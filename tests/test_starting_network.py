"""Recipes and the backbones that are to follow them."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from isic_screen.errors import RecipeError, WeightsError
from isic_screen.network import build_network
from isic_screen.processes import Processes
from isic_screen.training.about import load_about
from isic_screen.training.earlier_runs import EarlierRun
from isic_screen.training.run import _followed, train
from isic_screen.training.setting import Setting
from isic_screen.training.starting_network import check
from isic_screen.training.stem import first_stages, parts_in_two
from tests.conftest import ROOT
from tests.small_recipe import small_recipe

ABOUT = load_about(ROOT / "train" / "about.toml")
CONVNEXT = small_recipe(backbone="test_convnext", epochs=1, epoch_images=8, stem_uses=1, from_teacher=False, folds=2)


@pytest.fixture
def setting(tmp_path) -> Setting:
    return Setting(tmp_path / "out", tmp_path, torch.device("cpu"), 2)


@pytest.mark.parametrize(
    "backbone", ["test_efficientnet", "tf_efficientnet_lite0.in1k", "test_convnext", "test_resnet"]
)
def test_the_name_tells_whether_the_first_stages_can_be_computed_apart(backbone):
    network = build_network(backbone, weights=None, input_size=64)
    if parts_in_two(backbone):
        first_stages(network.backbone, torch.zeros(1, 3, 64, 64), 1)
    else:
        with pytest.raises(ValueError, match="EfficientNets only"):
            first_stages(network.backbone, torch.zeros(1, 3, 64, 64), 1)
    assert parts_in_two(backbone) == ("efficientnet" in backbone)


def test_another_backbone_takes_a_recipe_with_rounds_of_maps(lesion_folder, setting, tmp_path, capsys):
    weights = tmp_path / "convnext.safetensors"
    save_file(build_network("test_convnext", weights=None).backbone.state_dict(), weights)
    train([lesion_folder], CONVNEXT, ABOUT, replace(setting, weights=weights, only=(0,)))
    told = capsys.readouterr().err
    assert "The first stages of test_convnext cannot be computed apart: it is trained by stem_uses = 0." in told
    run = EarlierRun.of(setting.out)
    assert run.recipe == replace(CONVNEXT, stem_uses=0)
    assert run.weights("checkpoint.safetensors")
    assert not list(tmp_path.glob("stem-*"))


def test_runs_to_start_from_follow_their_backbone_too(setting, capsys):
    lines = replace(CONVNEXT, stem_uses=0), replace(setting, starts=(CONVNEXT, replace(CONVNEXT, seed=5)))
    recipe, followed = _followed(*lines)
    assert recipe == lines[0]
    assert [(start.stem_uses, start.seed) for start in followed.starts] == [(0, CONVNEXT.seed), (0, 5)]
    assert capsys.readouterr().err.count("stem_uses = 0") == 1
    own = replace(CONVNEXT, backbone="test_efficientnet")
    assert _followed(own, setting) == (own, setting)
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("lines", "error", "sentence"),
    [
        ({"frozen_stages": 50, "stem_uses": 0}, RecipeError, "stages that can be frozen, not 50"),
        ({"backbone": "vit_tiny_patch16_224", "train_size": 64}, RecipeError, "takes one size only"),
        ({"backbone": "convnext_tinny"}, WeightsError, "Did you mean"),
    ],
)
def test_what_a_backbone_cannot_follow_is_told_before_anything_is_decoded(
    lines, error, sentence, lesion_folder, setting, tmp_path, monkeypatch
):
    monkeypatch.setattr("isic_screen.training.whole_network.cached_pixels", lambda *_: pytest.fail("decoded"))
    recipe = replace(CONVNEXT, **lines)
    weights = None if error is RecipeError else "imagenet"
    with pytest.raises(error, match=sentence):
        train([lesion_folder], recipe, ABOUT, replace(setting, weights=weights))
    assert not setting.out.exists()


def test_lines_that_only_some_backbones_or_one_process_can_follow():
    network = build_network("test_convnext", weights=None, input_size=64)
    with pytest.raises(RecipeError, match="stem_uses: the first stages of test_convnext cannot be computed apart"):
        check(network, CONVNEXT, Processes())
    with pytest.raises(RecipeError, match="3 processes cannot share a batch of 8"):
        check(network, replace(CONVNEXT, stem_uses=0), Processes(0, 3))
