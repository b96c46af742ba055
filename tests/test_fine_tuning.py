import math
from dataclasses import dataclass, field, replace
from itertools import pairwise
from threading import get_ident

import numpy as np
import pytest
import torch
from scipy.stats import beta
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from isic_screen.errors import RecipeError, TrainingError
from isic_screen.network import ScreenNet, build_network
from isic_screen.training.checkpoint import load_checkpoint, save_checkpoint
from isic_screen.training.distortion import Distortion
from isic_screen.training.draws import TrainingImages, ahead
from isic_screen.training.fine_tuning import WithDiagnosis, _Run, fine_tune
from isic_screen.training.losses import screening_loss
from isic_screen.training.mixup import own_shares
from isic_screen.training.precision import FastDepthwise, gradient_of_inputs, gradient_of_weight
from isic_screen.training.recipe import RECIPES, FineTuneRecipe, load_recipe
from isic_screen.training.sampling import NO_DIAGNOSIS, draw
from isic_screen.training.schedule import rate_at, size_at
from tests.conftest import lesion
from tests.small_recipe import small_recipe

CPU = torch.device("cpu")
RECIPE = small_recipe(learning_rate=1e-3, mixup=0.0, seed=0)


def _network() -> ScreenNet:
    torch.manual_seed(0)
    return build_network("tf_efficientnet_lite0", weights="imagenet", hidden=RECIPE.hidden, input_size=64)


@pytest.fixture(scope="module")
def images() -> TrainingImages:
    targets = (np.arange(24) % 3 == 0).astype(np.int64)
    pictures = [lesion(seed, dark=bool(target), size=(72, 72)) for seed, target in enumerate(targets)]
    diagnoses = np.where(targets == 1, 0, np.where(np.arange(24) % 2 == 0, 1, NO_DIAGNOSIS)).astype(np.int64)
    return TrainingImages(np.stack([np.asarray(p) for p in pictures]), np.arange(24), targets, diagnoses, np.ones(24))


def test_the_rate_rises_then_falls_to_nothing():
    rates = [rate_at(step, 100, 10) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == 1
    assert all(a > b for a, b in pairwise(rates[10:]))
    assert rates[55] == pytest.approx(0.5)
    assert 0 < rates[-1] < 1e-3


def test_training_images_grow_in_equal_stages_and_end_at_the_full_size():
    recipe = replace(RECIPE, first_size=128, train_size=176, epochs=8)
    assert [size_at(epoch, recipe) for epoch in range(1, 9)] == [128, 128, 144, 144, 160, 160, 176, 176]
    assert size_at(1, replace(recipe, epochs=1)) == 176
    assert [size_at(epoch, replace(recipe, first_size=150, epochs=3)) for epoch in (1, 2, 3)] == [150, 160, 176]
    assert {size_at(epoch, replace(recipe, first_size=176)) for epoch in range(1, 9)} == {176}


def test_the_network_is_given_images_of_the_epochs_size(images, monkeypatch):
    seen = []
    plain = Distortion.__call__

    def watched(self, pixels, size, device, random, part):
        seen.append(size)
        return plain(self, pixels, size, device, random, part)

    monkeypatch.setattr(Distortion, "__call__", watched)
    fine_tune(_network(), images, RECIPE, device=torch.device("cpu"), quiet=True)
    assert sorted(set(seen)) == [48, 64]
    assert seen == sorted(seen)


def test_an_unknown_diagnosis_adds_nothing_to_the_loss():
    logits, targets = torch.tensor([0.5, -1.0, 2.0]), torch.tensor([1.0, 0.0, 0.0])
    diagnosis_logits = torch.randn(3, 7, generator=torch.manual_seed(0))
    recipe = replace(RECIPE, label_smoothing=0.1, diagnosis_weight=0.3)
    plain = binary_cross_entropy_with_logits(logits, torch.tensor([0.95, 0.05, 0.05]))

    unknown = torch.full((3,), NO_DIAGNOSIS)
    assert screening_loss(logits, diagnosis_logits, targets, unknown, recipe) == pytest.approx(float(plain))
    some = torch.tensor([0, NO_DIAGNOSIS, 4])
    known = cross_entropy(diagnosis_logits[[0, 2]], some[[0, 2]], reduction="sum") / 3
    found = screening_loss(logits, diagnosis_logits, targets, some, recipe)
    assert float(found) == pytest.approx(float(plain + 0.3 * known), rel=1e-5)
    without = replace(recipe, diagnosis_weight=0.0)
    assert float(screening_loss(logits, diagnosis_logits, targets, some, without)) == pytest.approx(float(plain))


def test_shares_say_how_much_each_label_counts():
    logits, targets = torch.tensor([0.5, -1.0]), torch.tensor([1.0, 0.0])
    names, diagnoses = torch.randn(2, 7, generator=torch.manual_seed(0)), torch.tensor([0, 4])
    each = [screening_loss(logits[[k]], names[[k]], targets[[k]], diagnoses[[k]], RECIPE) for k in (0, 1)]
    found = screening_loss(logits, names, targets, diagnoses, RECIPE, torch.tensor([0.7, 0.2]))
    assert float(found) == pytest.approx(float(0.7 * each[0] + 0.2 * each[1]) / 2, rel=1e-5)


def test_mixup_mixes_two_neighbours_and_their_labels_by_the_same_share(images, monkeypatch):
    seen = []
    plain = WithDiagnosis.forward

    def watched(self, inputs, stages=0):
        outputs = plain(self, inputs, stages)
        seen.append((inputs, *(output.detach().float() for output in outputs)))
        return outputs

    monkeypatch.setattr(WithDiagnosis, "forward", watched)
    own = torch.tensor([0.75, 0.75, 0.5, 0.5, 1.0, 1.0, 0.6, 0.6])
    monkeypatch.setattr("isic_screen.training.fine_tuning.own_shares", lambda *_: own)
    recipe = replace(RECIPE, epochs=1, epoch_images=8, dropout=0.0)
    fine_tune(_network(), images, recipe, device=CPU, quiet=True)
    history = fine_tune(_network(), images, replace(recipe, mixup=0.4), device=CPU, quiet=True)
    (alone, *_), (mixed, logits, names) = seen
    other = [1, 0, 3, 2, 5, 4, 7, 6]
    share = own.reshape(-1, 1, 1, 1)
    assert torch.allclose(mixed, share * alone + (1 - share) * alone[other], atol=1e-5)
    drawn = draw(images.weights, 8, np.random.default_rng([recipe.seed, 1]))
    targets, diagnoses = torch.from_numpy(images.targets[drawn]).float(), torch.from_numpy(images.diagnoses[drawn])
    expected = screening_loss(logits, names, targets, diagnoses, recipe, own)
    expected += screening_loss(logits, names, targets[other], diagnoses[other], recipe, 1 - own)
    assert history[0]["train_loss"] == pytest.approx(float(expected), rel=1e-5)


def test_both_of_a_pair_keep_the_same_share_and_at_least_half():
    shares = own_shares(0.4, 20_000, np.random.default_rng(0)).numpy()
    assert shares.shape == (20_000,)
    assert (shares[::2] == shares[1::2]).all()
    assert own_shares(0.0, 3, np.random.default_rng(0)).tolist() == [1, 1, 1]
    assert 0.5 <= shares.min() < 0.55
    assert 0.99 < shares.max() <= 1
    assert len(set(shares)) > 400
    # The smaller share of Beta(0.4, 0.4), by its density.
    assert 1 - shares.mean() == pytest.approx(beta(0.4, 0.4).expect(lambda share: min(share, 1 - share)), abs=0.005)


def test_pairs_need_an_even_batch():
    with pytest.raises(RecipeError, match="batch_size must be even, not 7"):
        replace(RECIPE, mixup=0.4, batch_size=7)


def test_frozen_stages_stay_and_the_others_learn(images):
    network = _network()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    history = fine_tune(network, images, RECIPE, device=CPU, quiet=True)
    assert [row["epoch"] for row in history] == [1, 2]
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    frozen = {name for name in before if name.startswith(("backbone.conv_stem", "backbone.bn1", "backbone.blocks.0."))}
    assert len(frozen) > 10
    assert not {name for name in changed & frozen if "num_batches" not in name}  # the statistics of batch norm neither
    for trained in ("backbone.blocks.1.0.conv_pw.weight", "backbone.bn2.running_mean", "head.out.weight"):
        assert trained in changed
    assert not network.training


def test_it_learns(images):
    recipe = replace(RECIPE, epochs=4, ema_decay=0.5)
    history = fine_tune(_network(), images, recipe, device=CPU, quiet=True)
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert history[-1]["train_auc"] > 0.8


@dataclass
class _Watched:
    """What a training did: after every step the weights of the last layer, the images, and the optimizer's groups."""

    recipe: FineTuneRecipe
    weights: list[torch.Tensor] = field(default_factory=list)
    places: list[list[int]] = field(default_factory=list)
    groups: list[list[tuple[float, float, float]]] = field(default_factory=list)
    kept: torch.Tensor | None = None


@pytest.fixture(scope="module")
def watched(images) -> _Watched:
    """Two epochs of four steps."""
    seen = _Watched(replace(RECIPE, ema_decay=0.6, layer_decay=0.5, warm_up=0.25, weight_decay=0.03))
    plain = _Run._step

    def step(run, images, batch):
        answer = plain(run, images, batch)
        seen.weights.append(run.module.network.head.out.weight.detach().clone())
        seen.places.append(batch.places.tolist())
        seen.groups.append([(g["lr"], g["lr_scale"], g["weight_decay"]) for g in run.optimizer.param_groups])
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Run, "_step", step)
        fine_tune(network := _network(), images, seen.recipe, device=CPU, quiet=True)
    seen.kept = network.head.out.weight.detach()
    assert len(seen.weights) == 8
    return seen


def test_what_is_kept_is_the_moving_average_over_all_epochs(watched):
    """Its decay warms up over all steps: one that began anew with every epoch would keep the last few steps alone."""
    average = torch.zeros_like(watched.weights[0])
    for number, weights in enumerate(watched.weights, 1):
        decay = min(watched.recipe.ema_decay, 1 - number ** (-2 / 3))
        average = decay * average + (1 - decay) * weights
    torch.testing.assert_close(watched.kept, average, rtol=1e-5, atol=1e-7)
    assert not torch.allclose(watched.kept, watched.weights[-1], rtol=1e-5, atol=1e-7)


def test_the_rate_follows_the_schedule_over_all_epochs_and_falls_towards_the_first_layers(watched):
    for step, groups in enumerate(watched.groups):
        share = rate_at(step, 8, 2)
        for rate, scale, _ in groups:
            assert rate == pytest.approx(watched.recipe.learning_rate * share * scale, rel=1e-9)
    scales = [scale for _, scale, _ in watched.groups[0]]
    assert scales[-1] == 1  # of the heads
    assert all(math.log2(scale).is_integer() for scale in scales)
    assert min(scales) <= 2**-5
    decays = [decay for *_, decay in watched.groups[0]]
    assert decays[-1] == 0.03
    assert set(decays[:-1]) == {0, 0.03}  # biases and norms are left alone


def test_every_epoch_draws_anew(watched):
    assert watched.places[:4] != watched.places[4:]


def test_a_decay_counts_as_far_as_the_warm_up_gets(images):
    """Eight updates are warmed up to 1 - 8 ** (-2 / 3) = 0.75: only a decay below that makes a difference."""
    recipe = replace(RECIPE, epochs=1, epoch_images=64, batch_size=8)
    kept = {}
    for decay in (0.5, 0.9, 0.998):
        fine_tune(network := _network(), images, replace(recipe, ema_decay=decay), device=CPU, quiet=True)
        kept[decay] = network.head.out.weight.detach()
    assert torch.equal(kept[0.9], kept[0.998])
    assert not torch.allclose(kept[0.5], kept[0.998])


def test_no_recipe_is_long_enough_for_its_decay():
    """As their comments say."""
    for file in RECIPES.glob("*.toml"):
        recipe = load_recipe(str(file))
        if isinstance(recipe, FineTuneRecipe):
            steps = recipe.epochs * (recipe.epoch_images // recipe.batch_size)
            assert 1 - steps ** (-2 / 3) < recipe.ema_decay, file.name


def test_a_share_of_the_start_is_kept_once_however_often_the_run_is_resumed(images, tmp_path):
    start, ends = WithDiagnosis(_network()).state_dict(), {}
    for share in (0.0, 0.25):
        recipe = replace(RECIPE, start_share=share)
        options = {"device": CPU, "start": start, "checkpoint": tmp_path / str(share), "quiet": True}
        fine_tune(network := _network(), images, recipe, **options)
        fine_tune(again := _network(), images, recipe, resume=True, **options)
        ends[share] = network.state_dict()
        assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in ends[share].items())
        assert torch.equal(
            load_checkpoint(tmp_path / str(share), "").best["network.head.out.bias"], network.head.out.bias
        )
    assert not torch.equal(ends[0]["head.out.weight"], start["network.head.out.weight"])
    for name, tensor in ends[0].items():
        if tensor.is_floating_point():
            expected = 0.75 * tensor + 0.25 * start[f"network.{name}"]
            assert torch.allclose(ends[0.25][name], expected, rtol=1e-4, atol=1e-6), name


def test_a_killed_run_resumes_to_the_result_of_an_uninterrupted_one(images, tmp_path, monkeypatch):
    whole, resumed = _network(), _network()
    expected = fine_tune(whole, images, RECIPE, device=CPU, quiet=True)
    options = {"device": CPU, "checkpoint": tmp_path / "c.safetensors", "fingerprint": "x", "quiet": True}

    def save_and_die(*arguments: object) -> None:
        save_checkpoint(*arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("isic_screen.training.fine_tuning.save_checkpoint", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            fine_tune(_network(), images, RECIPE, **options)
    found = fine_tune(resumed, images, RECIPE, resume=True, **options)
    assert [row["train_loss"] for row in found] == [row["train_loss"] for row in expected]
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_a_finished_checkpoint_keeps_the_weights_and_nothing_to_go_on_with(images, tmp_path):
    recipe, file = replace(RECIPE, epochs=1), tmp_path / "c.safetensors"
    fine_tune(network := _network(), images, recipe, device=CPU, checkpoint=file, quiet=True)
    kept = load_checkpoint(file, "")
    assert (kept.module, kept.optimizer["state"], len(kept.history)) == ({}, {}, 1)
    assert all(torch.equal(tensor, kept.best[f"network.{name}"]) for name, tensor in network.state_dict().items())
    weights = sum(tensor.nbytes for tensor in kept.best.values())
    assert weights < file.stat().st_size < 1.1 * weights


def test_batches_made_ahead_train_to_the_same_weights(images, monkeypatch):
    """As on a GPU, where another thread makes them."""
    expected = fine_tune(plain := _network(), images, replace(RECIPE, mixup=0.4), device=CPU, quiet=True)
    made = []

    def batches(run, epoch, drawn, random):
        def noted():
            for batch in own(run, epoch, drawn, random):
                made.append(get_ident())
                yield batch

        return ahead(noted())

    own = _Run._batches
    monkeypatch.setattr(_Run, "_batches", batches)
    found = fine_tune(network := _network(), images, replace(RECIPE, mixup=0.4), device=CPU, quiet=True)
    assert len(made) == RECIPE.epochs * RECIPE.epoch_images // RECIPE.batch_size
    assert get_ident() not in made
    assert [row["train_loss"] for row in found] == [row["train_loss"] for row in expected]
    assert all(torch.equal(tensor, network.state_dict()[name]) for name, tensor in plain.state_dict().items())


def test_items_come_in_order_one_ahead_and_an_error_in_its_place():
    made = []

    def items():
        for number in range(3):
            made.append(number)
            yield number
        raise ValueError("the fourth")

    found = ahead(items())
    assert next(found) == 0
    assert next(found) == 1
    assert next(found) == 2
    with pytest.raises(ValueError, match="the fourth"):
        next(found)
    assert list(ahead(iter(()))) == []


def test_another_runs_checkpoint_is_refused(images, tmp_path):
    options = {"device": CPU, "checkpoint": tmp_path / "c.safetensors", "quiet": True}
    fine_tune(_network(), images, replace(RECIPE, epochs=1), fingerprint="one", **options)
    with pytest.raises(TrainingError, match="another recipe or other data"):
        fine_tune(_network(), images, RECIPE, fingerprint="two", resume=True, **options)


def test_a_loss_that_is_not_finite_stops_with_a_sentence(images):
    network = _network()
    with torch.no_grad():
        network.head.out.bias.fill_(math.nan)
    with pytest.raises(TrainingError, match="Lower learning_rate"):
        fine_tune(network, images, RECIPE, device=CPU, quiet=True)


def test_too_many_frozen_stages_are_refused():
    with pytest.raises(ValueError, match="stages that can be frozen"):
        _network().freeze_stages(50)


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize(("stride", "padded", "side"), [(1, True, 11), (2, False, 11), (2, True, 12), (2, False, 12)])
def test_fast_depthwise_gives_the_gradients_of_the_plain_convolution(kernel, stride, padded, side):
    torch.manual_seed(0)
    padding = kernel // 2 if padded else 0
    inputs, weight = torch.randn(2, 6, side, side), torch.randn(6, 1, kernel, kernel)

    def gradients(dtype: torch.dtype, *, fast: bool) -> tuple[torch.Tensor, ...]:
        x, w = inputs.to(dtype).requires_grad_(), weight.clone().requires_grad_()
        if fast:
            with FastDepthwise():
                out = torch.nn.functional.conv2d(x, w, None, stride, padding, 1, 6)
        else:
            out = torch.nn.functional.conv2d(x, w.to(dtype), None, stride, padding, 1, 6)
        out.float().square().sum().backward()
        return out.detach().float(), x.grad.float(), w.grad.float()

    for fast, exact in zip(gradients(torch.bfloat16, fast=True), gradients(torch.float32, fast=False), strict=True):
        assert torch.allclose(fast, exact, rtol=0.03, atol=0.03 * float(exact.abs().max()))


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(5, 1, 2), (5, 2, 0), (3, 2, 1), (5, 2, 2)])
def test_the_other_way_to_the_gradients_is_exact_in_fp32(kernel, stride, padding):
    torch.manual_seed(1)
    inputs, weight = (
        torch.randn(2, 4, 13, 13, requires_grad=True),
        torch.randn(4, 1, kernel, kernel, requires_grad=True),
    )
    out = torch.nn.functional.conv2d(inputs, weight, None, stride, padding, 1, 4)
    gradient = torch.randn_like(out)
    out.backward(gradient)
    how = (weight.detach(), gradient, (stride, stride), (padding, padding))
    assert torch.allclose(gradient_of_inputs(inputs.shape, *how), inputs.grad, atol=1e-4)
    assert torch.allclose(gradient_of_weight(inputs.detach(), *how), weight.grad, atol=1e-3)


def test_fast_depthwise_leaves_other_convolutions_alone():
    inputs, weight = torch.randn(1, 4, 5, 5, dtype=torch.bfloat16), torch.randn(8, 4, 3, 3, dtype=torch.bfloat16)
    with FastDepthwise():
        found = torch.nn.functional.conv2d(inputs, weight)
    assert torch.equal(found, torch.nn.functional.conv2d(inputs, weight))


def test_the_diagnosis_reads_the_features_of_the_network():
    module = WithDiagnosis(_network()).eval()
    batch = torch.randn(2, 3, 64, 64)
    logits, diagnosis = module(batch)
    assert torch.allclose(logits, module.network(batch), atol=1e-5)
    assert torch.allclose(diagnosis, module.diagnosis(module.network.features(batch)), atol=1e-5)
