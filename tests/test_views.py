"""The answer is the mean over a photo's views, its map lies on the photo, and how that was held changes nothing."""

import pytest
import torch

from isic_screen.engine import engine_of
from isic_screen.network import ScreenNet, Whole, build_network
from isic_screen.turns import VIEWS, turned, turned_back, views_of
from isic_screen.views import AT_ONCE, averaged

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network() -> ScreenNet:
    torch.manual_seed(0)
    return build_network("resnet10t", weights=None, hidden=8, input_size=64)


def test_the_views_are_the_eight_symmetries_of_a_square():
    image = torch.arange(9.0).view(3, 3)
    views = [turned(image, view) for view in range(VIEWS)]
    expected = [turns for side in (image, image.fliplr()) for turns in (side.rot90(k) for k in range(4))]
    assert {tuple(view.flatten().tolist()) for view in views} == {tuple(view.flatten().tolist()) for view in expected}
    assert len(views) == len({tuple(view.flatten().tolist()) for view in views}) == 8
    assert torch.equal(views[0], image)
    assert torch.equal(views[1], image.rot90(2))
    assert _shown(image, 4) == {tuple(image.rot90(k).flatten().tolist()) for k in range(4)}


def test_three_views_are_the_photo_and_both_quarter_turns():
    image = torch.arange(9.0).view(3, 3)
    assert _shown(image, 3) == {tuple(image.rot90(k).flatten().tolist()) for k in (0, 1, 3)}


@pytest.mark.parametrize("view", range(VIEWS))
def test_turning_back_undoes_turning(view):
    images = torch.rand(2, 3, 5, 5)
    assert torch.equal(turned_back(turned(images, view), view), images)


@pytest.mark.parametrize("views", [2, 3, 4, 8])
def test_everything_is_the_mean_over_the_views(network, views):
    images = torch.randn(AT_ONCE + 1, 3, 64, 64)
    engine = engine_of(network, CPU)
    with torch.inference_mode():
        found = averaged(engine, views)(images)
        each = [engine(turned(images, view)) for view in views_of(views)]
    upright = [turned_back(seen.evidence, view) for view, seen in zip(views_of(views), each, strict=True)]
    expected = [torch.stack(tensors).mean(0) for tensors in zip(*each, strict=True)]
    expected[Whole._fields.index("evidence")] = torch.stack(upright).mean(0)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * float(other.abs().max()))
    assert not torch.allclose(found.logits, each[0].logits, rtol=1e-4)


def test_no_more_photos_than_some_are_turned_at_once(network):
    """Eight views of every photo of a large batch would not fit into memory."""
    engine, sizes = engine_of(network, CPU), []

    def watched(images: torch.Tensor) -> Whole:
        sizes.append(len(images))
        return engine(images)

    with torch.inference_mode():
        averaged(watched, 4)(torch.randn(AT_ONCE + 3, 3, 64, 64))
    assert sizes == [4 * AT_ONCE, 4 * 3]


def test_the_map_still_explains_the_logit(network):
    """Its mean is the logit less what the head adds by itself, in the mean over the views."""
    images = torch.randn(2, 3, 64, 64)
    head = network.head
    with torch.inference_mode():
        found = averaged(engine_of(network, CPU), 8)(images)
        biases = []
        for view in range(8):
            features = network.features(turned(images, view))
            active = (head.hidden(features) > 0).float()
            biases.append((active * head.hidden.bias * head.out.weight[0]).sum(1) + head.out.bias)
    torch.testing.assert_close(
        found.evidence.mean((1, 2)) + torch.stack(biases).mean(0), found.logits, rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("views", [2, 4, 8])
def test_a_photo_turned_by_one_of_the_views_has_the_same_answer(network, views):
    """Of the first two the half turn, of the first four the quarter turns, of all the mirror images as well."""
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        look = averaged(engine_of(network, CPU), views)
        upright = look(images)
        for view in range(1, views):
            seen = look(turned(images, view))
            torch.testing.assert_close(seen.logits, upright.logits, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(
                turned_back(seen.evidence, view),
                upright.evidence,
                rtol=1e-3,
                atol=1e-4 * float(upright.evidence.abs().max()),
            )


def test_one_view_is_the_engine_itself(network):
    engine = engine_of(network, CPU)
    assert averaged(engine, 1) is engine


@pytest.mark.parametrize("views", [0, 5, 16, True, 8.0])
def test_other_numbers_of_views_are_refused(network, views):
    spec = network.input_spec
    with pytest.raises(ValueError, match="views must be 1, 2, 3, 4 or 8"):
        type(spec)(spec.size, spec.mean, spec.std, spec.interpolation, views)


def _shown(image: torch.Tensor, count: int) -> set[tuple[float, ...]]:
    """The pixels of every view of `image` in an answer of `count`."""
    return {tuple(turned(image, view).flatten().tolist()) for view in views_of(count)}
