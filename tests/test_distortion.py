import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from isic_screen.training.distortion import (
    Distortion,
    Part,
    cut_out,
    draw_hairs,
    geometry,
    recolour,
    recompress,
    soften,
    vignette,
)
from tests.conftest import lesion

CPU = torch.device("cpu")
NOTHING = Distortion(crop=1, rotation=0, colour=0, soften=0, jpeg=0, vignette=0, hairs=0, cutout=0)
ALL = Distortion(crop=0.4, rotation=30, colour=0.2, soften=1, jpeg=1, vignette=1, hairs=1, cutout=1)


def _random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


class _Middling:
    """A generator in the middle of every range, but for the symmetry asked for: no crop has a shape of its own."""

    def __init__(self, quarter_turns: int, mirror: float) -> None:
        self.quarter_turns, self.mirror = quarter_turns, mirror

    def random(self, size):
        return np.full(size, 0.5)

    def uniform(self, low, high, size):
        return np.full(size, (low + high) / 2)

    def integers(self, low, high, size):
        return np.full(size, self.quarter_turns if (low, high) == (0, 4) else low)

    def choice(self, values, size):
        return np.full(size, self.mirror)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Eight drawn lesions as (8, 64, 64, 3), each with a dark block in one corner: no two symmetries look alike."""
    photos = np.stack([np.asarray(lesion(seed, dark=seed % 2 == 0, size=(64, 64))) for seed in range(8)])
    photos[:, 2:12, 2:22] = (10, 60, 20)
    return photos


@pytest.fixture
def batch(images) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def _symmetries(image: Tensor) -> list[Tensor]:
    return [torch.rot90(flipped, turns, (1, 2)) for flipped in (image, image.flip(2)) for turns in range(4)]


def _high_frequencies(batch: Tensor) -> Tensor:
    """Mean square (N,) of the difference of neighbouring pixels."""
    return batch.float().diff(dim=3).square().mean((1, 2, 3))


@pytest.mark.parametrize("distortion", [NOTHING, ALL])
@pytest.mark.parametrize("size", [32, 64])
def test_images_come_as_the_network_takes_them(distortion, size, images):
    given = images.copy()
    out = distortion(given, size, CPU, _random())
    assert out.shape == (8, 3, size, size)
    assert out.dtype == torch.float32
    assert out.isfinite().all()
    assert 0 <= out.min() < 0.3
    assert 0.5 < out.max() <= 1
    np.testing.assert_array_equal(given, images)


def test_the_generator_alone_decides(images):
    first, again, other = (ALL(images, 48, CPU, _random(seed)) for seed in (1, 1, 2))
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert (first - other).abs().mean() > 0.02


@pytest.mark.parametrize("strength", ["colour", "soften", "jpeg", "vignette", "hairs", "cutout"])
def test_each_strength_does_something_of_its_own(strength, images):
    plain = NOTHING(images, 64, CPU, _Middling(0, 1.0))
    changed = replace(NOTHING, **{strength: 1.0})(images, 64, CPU, _Busy())
    assert (plain - changed).abs().amax((1, 2, 3)).min() > 0.02


class _Busy(np.random.Generator):
    """A generator whose geometry is the identity, and which is random otherwise."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def uniform(self, low=0.0, high=1.0, size=None):
        if (low, high) in ((1, 1), (math.log(3 / 4), math.log(4 / 3)), (-1, 1), (0, 0)):
            return np.full(size, (low + high) / 2)
        return super().uniform(low, high, size)

    def integers(self, low, high=None, size=None):
        return np.zeros(size, int) if (low, high) == (0, 4) else super().integers(low, high, size)

    def choice(self, values, size):
        return np.ones(size)


def test_without_strengths_each_of_the_eight_symmetries_is_left(images, batch):
    found = set()
    for turns in range(4):
        for mirror in (-1.0, 1.0):
            out = NOTHING(images, 64, CPU, _Middling(turns, mirror))
            for image, distorted in zip(batch, out, strict=True):
                errors = [float((symmetry - distorted).abs().max()) for symmetry in _symmetries(image)]
                assert min(errors) < 2e-3
                found.add(int(np.argmin(errors)))
                assert sorted(errors)[1] > 0.1
    assert found == set(range(8))


def test_a_crop_of_everything_takes_no_more_than_its_aspect_asks_for():
    ramp = torch.linspace(0, 1, 128).expand(300, 3, 128, 128)
    out = geometry(ramp, 64, 1.0, 0, _random())
    span = out.amax((1, 2, 3)) - out.amin((1, 2, 3))
    assert math.sqrt(3 / 4) - 0.03 < span.min() < 0.9
    assert span.max() > 0.97


def test_all_symmetries_are_drawn(batch):
    many = batch[:1].expand(200, -1, -1, -1)
    out = geometry(many, 64, 0.99, 0, _random())
    symmetries = torch.stack(_symmetries(batch[0]))
    nearest = (out[:, None] - symmetries).abs().mean((2, 3, 4)).argmin(1)
    assert nearest.bincount(minlength=8).min() >= 10


def test_crops_keep_their_share_and_stay_inside():
    """Of a ramp from 0 to 1 across the photo, a crop of a share of the area shows a stretch."""
    ramp = torch.linspace(0, 1, 128).expand(300, 3, 128, 128)
    out = geometry(ramp, 64, 0.25, 0, _random())
    span = out.amax((1, 2, 3)) - out.amin((1, 2, 3))
    assert math.sqrt(0.25 * 3 / 4) - 0.03 < span.min() < 0.55
    assert span.max() > 0.95
    assert (out.amin((1, 2, 3)) > 0.3).any()
    assert (out.amax((1, 2, 3)) < 0.7).any()


def test_no_crop_reaches_over_a_border():
    """Where it did, the mirror image would bend the ramps."""
    side = 128
    ramp = torch.linspace(0, 1, side).expand(300, side, side)
    out = geometry(torch.stack([ramp, ramp.mT, ramp], 1), 48, 0.25, 0, _random())[:, :, 1:-1, 1:-1]
    for axis in (2, 3):
        assert out.diff(dim=axis).diff(dim=axis).abs().max() < 1e-4


def test_a_rotation_keeps_right_angles():
    """But for a few degrees, as a crop that is not square skews them."""
    axis = torch.linspace(-1, 1, 65)
    across = (axis[:, None].abs() < 0.1).float().expand(65, 65)
    cross = torch.stack([across, across.mT, across]).expand(100, 3, 65, 65)
    out = geometry(cross, 65, 0.999, 45, _random()) * (axis[:, None] ** 2 + axis**2 < 0.8)
    x, y = axis[None, :], axis[:, None]
    angle = 0.5 * torch.atan2((2 * x * y * out).sum((2, 3)), ((x**2 - y**2) * out).sum((2, 3)))
    apart = torch.rad2deg(angle[:, 0] - angle[:, 1]) % 180
    assert (apart - 90).abs().max() < 15


def test_what_a_rotation_uncovers_is_a_mirror_image_and_not_black():
    white = torch.ones(20, 3, 32, 32)
    torch.testing.assert_close(geometry(white, 32, 1.0, 45, _random()), white)


def test_rotations_stay_within_their_degrees():
    """A photo of which one half is dark: the angle of its edge is that of its centre of darkness."""
    photo = torch.zeros(200, 3, 65, 65)
    photo[:, :, :, 33:] = 1
    out = geometry(photo, 65, 0.999, 20, _random())[:, 0]
    axis = torch.linspace(-1, 1, 65)
    inside = (axis[:, None] ** 2 + axis**2 < 0.9).float()
    x, y = ((out * inside * way).sum((1, 2)) for way in (axis[None, :], axis[:, None]))
    angle = torch.rad2deg(torch.atan2(y, x))
    off_quarter = (angle + 45) % 90 - 45
    # A crop that is not square skews an angle by a few degrees.
    assert 12 < off_quarter.abs().max() < 30
    assert off_quarter.min() < -8
    assert off_quarter.max() > 8


def test_colours_change_by_about_the_strength_and_pixels_stay_in_place(batch):
    assert recolour(batch, 0, _random()) is batch
    grey = torch.full((300, 3, 4, 4), 0.4)
    means = recolour(grey, 0.1, _random()).mean((2, 3))
    assert 0.02 < (means / 0.4).log().std() < 0.2
    assert (means.amax(1) - means.amin(1)).mean() > 0.005  # white balance
    out = recolour(batch, 0.2, _random()).mean(1)
    for image, changed in zip(batch.mean(1), out, strict=True):
        assert np.corrcoef(image.flatten(), changed.flatten())[0, 1] > 0.9


class _Only:
    """A generator in the middle of every range, but at the end of that of its `number`th draw."""

    def __init__(self, number: int) -> None:
        self.left = number

    def uniform(self, low, high, size):
        self.left -= 1
        return np.full(size, high if self.left == 0 else (low + high) / 2)


def test_gamma_and_saturation_change_what_they_are_named_for():
    colours = torch.tensor([[0.6, 0.4, 0.3], [0.2, 0.3, 0.1]]).view(2, 3, 1, 1)
    torch.testing.assert_close(recolour(colours, 0.1, _Only(0)), colours)
    torch.testing.assert_close(recolour(colours, 0.1, _Only(3)), colours ** math.exp(0.1))
    grey = (colours * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    torch.testing.assert_close(recolour(colours, 0.1, _Only(4)), grey + (colours - grey) * math.exp(0.15))


@pytest.mark.parametrize("distort", [recompress, soften, draw_hairs, cut_out, vignette])
def test_a_probability_is_one(distort, batch):
    whole = (batch[:1] * 255).to(torch.uint8) if distort is recompress else batch[:1]
    many = whole.expand(200, -1, -1, -1)

    def changed(probability: float) -> int:
        out = distort(many.clone(), probability, _random())
        return int((out.float() - many.float()).abs().amax((1, 2, 3)).gt(1e-3).sum())

    assert changed(0.0) == 0
    assert 70 < changed(0.5) < 130
    assert changed(1.0) >= 195  # a hair may lie outside the photo


def test_jpeg_takes_fine_noise_away_and_leaves_its_input():
    noise = torch.from_numpy(_random().normal(128, 12, (6, 3, 64, 64)).clip(0, 255).astype(np.uint8))
    given = noise.clone()
    out = recompress(noise, 1.0, _random())
    assert out.dtype == torch.uint8
    assert (_high_frequencies(out) < 0.9 * _high_frequencies(given)).all()
    torch.testing.assert_close(out.float().mean((1, 2, 3)), given.float().mean((1, 2, 3)), atol=2, rtol=0)
    assert (noise == given).all()


def test_jpeg_comes_in_all_qualities_from_bad_to_good():
    noise = torch.from_numpy(_random().normal(128, 12, (60, 3, 64, 64)).clip(0, 255).astype(np.uint8))
    left = _high_frequencies(recompress(noise, 1.0, _random())) / _high_frequencies(noise)
    assert left.min() < 0.05
    assert left.max() > 0.4


def test_softening_takes_fine_detail_away_and_keeps_the_coarse(batch):
    given = batch.clone()
    out = soften(batch, 1.0, _random())
    assert (_high_frequencies(out) < 0.8 * _high_frequencies(given)).all()
    many = _high_frequencies(soften(given[:1].repeat(60, 1, 1, 1), 1.0, _random()))
    assert many.min() < 0.5 * many.max()  # by little and by much
    blocks = [torch.nn.functional.avg_pool2d(images, 16) for images in (out, given)]
    torch.testing.assert_close(blocks[0], blocks[1], atol=0.05, rtol=0)


def test_a_vignette_darkens_corners_and_not_the_centre():
    out = vignette(torch.full((200, 3, 64, 64), 0.8), 1.0, _random())
    torch.testing.assert_close(out[:, :, 24:40, 24:40], torch.full((200, 3, 16, 16), 0.8))
    corners = torch.stack([out[:, :, y, x] for y in (0, -1) for x in (0, -1)]).mean((0, 2))
    assert (corners < 0.79).float().mean() > 0.9
    assert corners.min() < 0.1
    assert out.min() > 0  # never quite black
    assert out.max() <= 0.8 + 1e-6


def test_a_cut_out_is_one_rectangle_of_the_mean_colour():
    side = 100
    noise = torch.from_numpy(_random().random((150, 3, side, side))).float()
    given = noise.clone()
    out = cut_out(noise, 1.0, _random())
    areas, shapes = [], set()
    for before, after in zip(given, out, strict=True):
        rows, columns = torch.nonzero((before != after).any(0), as_tuple=True)
        high, wide = (int(places.max() - places.min()) + 1 for places in (rows, columns))
        assert len(rows) == high * wide
        assert 10 <= high <= 35
        assert 10 <= wide <= 35
        patch = after[:, rows, columns]
        torch.testing.assert_close(patch, before.mean((1, 2))[:, None].expand_as(patch))
        areas.append(high * wide / side**2)
        shapes.add(high == wide)
    assert min(areas) < 0.025
    assert max(areas) > 0.09
    assert False in shapes


def test_hairs_darken_thin_lines():
    out = draw_hairs(torch.full((40, 3, 96, 96), 0.8), 1.0, _random())
    assert out.max() <= 0.8 + 1e-6
    touched = (out < 0.79).any(1).float().mean((1, 2))
    assert 0.02 < touched.mean() < 0.3
    assert out.amin((1, 2, 3)).min() < 0.2


def test_each_process_distorts_its_part_of_a_batch_as_one_would_the_whole(images):
    whole = ALL(images, 64, CPU, _random(3))
    for halves in ([0, 4, 8], [0, 3, 8]):
        randoms = [_random(3) for _ in halves[1:]]
        parts = [
            ALL(images[first:last], 64, CPU, random, Part(first, last, 8))
            for first, last, random in zip(halves, halves[1:], randoms, strict=False)
        ]
        torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-6)
        # The next batch must come out alike too: every process has drawn as many numbers.
        assert len({random.random() for random in randoms}) == 1
