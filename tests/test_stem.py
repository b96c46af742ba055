from collections import Counter
from dataclasses import replace
from itertools import pairwise
from shutil import copy

import numpy as np
import pytest
import torch

from isic_screen.errors import RecipeError, TrainingError
from isic_screen.network import ScreenNet, build_network
from isic_screen.training.checkpoint import save_checkpoint
from isic_screen.training.draws import FromStem, TrainingImages
from isic_screen.training.fine_tuning import WithDiagnosis, fine_tune
from isic_screen.training.recipe import FineTuneRecipe
from isic_screen.training.sampling import NO_DIAGNOSIS
from isic_screen.training.schedule import size_at
from isic_screen.training.stem import StemRounds, first_stages, other_stages, rounds_of
from tests.conftest import lesion
from tests.small_recipe import small_recipe

CPU = torch.device("cpu")
RECIPE = small_recipe(learning_rate=1e-3, mixup=0.0, seed=0, epochs=4, epoch_images=40, frozen_stages=3, stem_uses=2)


def _network(backbone: str = "tf_efficientnet_lite0") -> ScreenNet:
    torch.manual_seed(0)
    return build_network(backbone, weights=None, hidden=RECIPE.hidden, input_size=64)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.stack([np.asarray(lesion(seed, dark=seed % 3 == 0, size=(72, 72))) for seed in range(30)])


def _plan(pixels: np.ndarray, cache, recipe: FineTuneRecipe = RECIPE, network: ScreenNet | None = None) -> StemRounds:
    rows = np.arange(2, 30)  # the first two images are no training images
    weights = np.where(rows < 6, 3.0, 1.0)
    return StemRounds.plan(
        network or _network(), pixels, rows, weights, recipe, content="drawn", cache=cache, device=CPU
    )


def _fill(pixels: np.ndarray, cache, recipe: FineTuneRecipe = RECIPE, network: ScreenNet | None = None) -> StemRounds:
    stem = _plan(pixels, cache, recipe, network)
    stem.fill(1)
    return stem


def _images(pixels: np.ndarray, rows: np.ndarray, stem: StemRounds) -> TrainingImages:
    targets = (rows % 3 == 0).astype(np.int64)
    unknown = np.full(len(rows), NO_DIAGNOSIS)
    return TrainingImages(pixels, rows, targets, unknown, np.ones(len(rows)), stem=stem)


@pytest.mark.parametrize("backbone", ["tf_efficientnet_lite0", "tf_efficientnet_lite2"])
@pytest.mark.parametrize("stages", [1, 3, 4])
def test_a_network_in_two_parts_is_the_network(backbone, stages):
    network, images = _network(backbone), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        maps = first_stages(network.backbone, images, stages)
        assert torch.equal(other_stages(network.backbone, maps, stages), network.activations(images))
        module = WithDiagnosis(network).eval()
        for whole, parted in zip(module(images), module(maps, stages), strict=True):
            assert torch.allclose(whole, parted, atol=1e-6)


def test_the_first_part_is_what_is_frozen():
    network = _network()
    network.freeze_stages(3)
    inside = {id(p) for p in (*network.backbone.conv_stem.parameters(), *network.backbone.bn1.parameters())}
    inside |= {id(p) for block in network.backbone.blocks[:2] for p in block.parameters()}
    assert {id(p) for p in network.backbone.parameters() if not p.requires_grad} == inside


@pytest.mark.parametrize("backbone", ["resnet10t", "convnext_atto"])
def test_other_backbones_have_no_stem_to_compute_apart(backbone, pixels, tmp_path):
    with pytest.raises(ValueError, match="EfficientNets only"):
        _plan(pixels, tmp_path, network=_network(backbone))


def test_stems_are_for_frozen_stages():
    with pytest.raises(RecipeError, match="stem_uses"):
        replace(RECIPE, frozen_stages=0)


def test_epochs_of_one_size_take_its_rounds_in_turn():
    recipe = replace(RECIPE, first_size=128, train_size=160, epochs=12, stem_uses=2)
    plan = rounds_of(recipe)
    assert [size for size, _ in plan] == [size_at(epoch, recipe) for epoch in range(1, 13)]
    assert plan[:4] == [(128, 0), (128, 1), (128, 0), (128, 1)]
    assert set(Counter(plan).values()) == {2}
    assert all(before != after for before, after in pairwise(plan))
    assert len(set(rounds_of(replace(recipe, stem_uses=1)))) == 12


def test_a_round_holds_what_the_frozen_stages_say_of_distorted_images(pixels, tmp_path):
    stem = _fill(pixels, tmp_path)
    assert len({round_.file for round_ in stem.of_epoch}) == 2
    first = stem.of_epoch[0]
    assert first.rows.min() >= 2
    assert (np.bincount(first.rows, minlength=30)[2:6] >= 2).all()  # drawn by their weights
    maps = first.maps(np.array([5, 0]))
    assert maps.shape == (2, 24, 12, 12)
    # The same by hand: the file's images are distorted in its order by its own generator.
    random = np.random.default_rng([RECIPE.seed, 48, 0, 1])
    network = _network()
    images = network.input_spec.normalise(RECIPE.distortion()(pixels[first.rows], 48, CPU, random))
    with torch.no_grad():
        expected = first_stages(network.backbone, images, 3)[[5, 0]]
    assert torch.allclose(maps, expected, atol=1e-4)


def test_in_mixed_precision_maps_are_stored_in_half_the_space(pixels, tmp_path, monkeypatch):
    full = _fill(pixels, tmp_path / "full").of_epoch[0]
    monkeypatch.setattr("isic_screen.training.stem.amp_dtype", lambda device, amp: torch.bfloat16)
    half = _fill(pixels, tmp_path / "half").of_epoch[0]
    exact, rounded = full.maps(np.arange(40)), half.maps(np.arange(40))
    assert rounded.dtype == torch.bfloat16
    assert half.file.stat().st_size < 0.51 * full.file.stat().st_size
    assert torch.allclose(rounded.float(), exact, atol=0.05 * float(exact.abs().max()))


def test_a_second_run_computes_nothing_and_another_recipe_has_rounds_of_its_own(pixels, tmp_path, monkeypatch):
    stem = _fill(pixels, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("isic_screen.training.stem._maps", None)
        again = _fill(pixels, tmp_path)
    assert [round_.file for round_ in again.of_epoch] == [round_.file for round_ in stem.of_epoch]
    files = {round_.file for round_ in stem.of_epoch}
    for other in (replace(RECIPE, colour=0.1), replace(RECIPE, seed=7), replace(RECIPE, frozen_stages=2)):
        assert not files & {round_.file for round_ in _fill(pixels, tmp_path, other).of_epoch}
    strange = build_network("tf_efficientnet_lite0", weights="imagenet", hidden=16, input_size=64)
    assert not files & {round_.file for round_ in _fill(pixels, tmp_path, network=strange).of_epoch}


def test_a_fold_sees_its_own_images_and_no_other(pixels, tmp_path):
    stem = _fill(pixels, tmp_path)
    rows = np.arange(2, 30, 2)
    draws = FromStem(_images(pixels, rows, stem), stem, 8, CPU)
    random = np.random.default_rng(0)
    for epoch in range(1, 5):
        drawn = draws.draw(epoch, random)
        assert len(drawn) == 8 * draws.steps(epoch) > 0
        assert len(set(drawn)) == len(drawn)
        assert (stem.of_epoch[epoch - 1].rows[drawn] == rows[draws.places(epoch, drawn)]).all()
    assert not (draws.draw(1, random) == draws.draw(1, random)).all()


def test_it_learns_from_maps_and_leaves_the_frozen_stages(pixels, tmp_path):
    network = build_network("tf_efficientnet_lite0", weights="imagenet", hidden=16, input_size=64)
    recipe = replace(RECIPE, epochs=6, ema_decay=0.5, learning_rate=2e-3)
    images = _images(pixels, np.arange(2, 30), _fill(pixels, tmp_path, recipe, network))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    history = fine_tune(network, images, recipe, device=CPU, quiet=True)
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    frozen = ("backbone.conv_stem", "backbone.bn1", "backbone.blocks.0.", "backbone.blocks.1.")
    assert not {name for name in changed if name.startswith(frozen) and "num_batches" not in name}
    assert {"backbone.blocks.2.0.conv_pw.weight", "backbone.bn2.running_mean", "head.out.weight"} <= changed


def test_too_few_images_for_a_batch_are_a_sentence(pixels, tmp_path):
    images = _images(pixels, np.array([3, 4]), _fill(pixels, tmp_path))
    with pytest.raises(TrainingError, match="too few images for a batch"):
        fine_tune(_network(), images, replace(RECIPE, batch_size=32), device=CPU, quiet=True)


def test_rounds_are_computed_by_the_run_that_trains_on_them_and_no_others(pixels, tmp_path, monkeypatch):
    recipe = replace(RECIPE, epochs=3, stem_uses=1, first_size=64)
    checkpoint = tmp_path / "checkpoint.safetensors"

    def save(path, state) -> None:
        save_checkpoint(path, state)
        copy(path, tmp_path / f"after {len(state.history)}")

    monkeypatch.setattr("isic_screen.training.fine_tuning.save_checkpoint", save)

    def go(cache) -> list[str]:
        images = _images(pixels, np.arange(2, 30), _plan(pixels, cache, recipe))
        assert not list(cache.glob("*"))
        fine_tune(_network(), images, recipe, device=CPU, checkpoint=checkpoint, resume=True, quiet=True)
        return sorted(file.name.rsplit("-", 1)[1] for file in cache.glob("*.npy"))

    assert go(tmp_path / "first") == ["0.npy", "1.npy", "2.npy"]
    assert go(tmp_path / "finished") == []
    copy(tmp_path / "after 2", checkpoint)
    assert go(tmp_path / "two of three") == ["2.npy"]
