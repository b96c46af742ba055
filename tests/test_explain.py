import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_grad_cam import GradCAM

from isic_screen.explain import METHODS, SHOWS, Explainer, heat_map_of, overlay
from isic_screen.photo import open_photo
from tests.conftest import ROOT, lesion


class _Hooked(torch.nn.Module):
    """A network as the grad-cam library wants it: a layer to hook, a class axis."""

    def __init__(self, network):
        super().__init__()
        self.network, self.feature_map = network, torch.nn.Identity()

    def forward(self, images):
        return self.network.head(self.feature_map(self.network.activations(images)).mean((2, 3)))[:, None]


def _photos(shared_data) -> list[Image.Image]:
    return [open_photo(path) for path in sorted((shared_data / "photos").glob("*.jpg"))]


def test_the_closed_form_is_the_librarys_grad_cam_on_real_photos(bundled_model, shared_data):
    photos = _photos(shared_data)
    assert len(photos) == 8
    _compare_with_library(bundled_model.network, photos)


def test_the_closed_form_is_the_librarys_grad_cam_on_drawn_photos(bundled_model):
    photos = [open_photo(path) for path in sorted((ROOT / "assets" / "examples").glob("*.jpg"))]
    assert photos
    _compare_with_library(bundled_model.network, photos)


def _compare_with_library(network, photos):
    with GradCAM(_Hooked(network), [torch.nn.Identity()]) as _:
        pass  # importing and closing once, so that a failure below is about the maps
    hooked = _Hooked(network)
    for photo in photos:
        images = network.input_spec(photo).unsqueeze(0)
        with torch.inference_mode():
            ours = network.forward_with_evidence(images)[1][0].numpy()
        with GradCAM(hooked, [hooked.feature_map]) as library:
            # The weights and the sum before the library's ReLU, stretching and scaling.
            library(images.requires_grad_(), targets=[lambda output: output[0]])
            acts = library.activations_and_grads
            raw = library.get_cam_image(
                images, hooked.feature_map, None, acts.activations[0].numpy(), acts.gradients[0].numpy()
            )[0]
        scale = np.abs(ours).max()
        # The library averages the gradient over the map; we keep the logit's own units.
        np.testing.assert_allclose(raw * ours.size / scale, ours / scale, atol=1e-5)


def test_evidence_against_shows_an_empty_map_and_no_stretched_noise():
    against = np.full((7, 7), -1.0, dtype=np.float32)
    assert not heat_map_of(against).any()
    against[3, 3] = 0.01  # noise beside strong evidence against
    assert not heat_map_of(against).any()
    against[3, 3] = 0.5
    assert heat_map_of(against)[3, 3] == 1.0
    assert heat_map_of(against).sum() == 1.0
    assert not heat_map_of(np.zeros((7, 7), dtype=np.float32)).any()


def test_a_heat_map_keeps_proportions():
    np.testing.assert_allclose(heat_map_of(np.array([[4.0, 2.0], [-4.0, 0.0]], dtype=np.float32)), [[1, 0.5], [0, 0]])


def test_the_overlay_keeps_shape_and_cold_places_and_shows_the_hot_ones():
    photo = lesion(0, size=(210, 140))
    heat_map = np.zeros((7, 7), dtype=np.float32)
    heat_map[0, 0] = 1.0
    shown = overlay(photo, heat_map, 0.8)
    assert shown.size == photo.size
    before, after = np.asarray(photo, int), np.asarray(shown, int)
    assert (before[100:, 150:] == after[100:, 150:]).all()
    assert np.abs(before[:10, :10] - after[:10, :10]).mean() > 30


def test_strength_zero_is_the_photo_and_more_strength_is_more_colour():
    photo = lesion(0)
    heat_map = np.linspace(0, 1, 49, dtype=np.float32).reshape(7, 7)
    change = [
        np.abs(np.asarray(overlay(photo, heat_map, s), int) - np.asarray(photo, int)).mean() for s in (0, 0.3, 0.9)
    ]
    assert change[0] == 0 < change[1] < change[2]
    with pytest.raises(ValueError, match="strength"):
        overlay(photo, heat_map, 1.5)


def test_an_empty_map_leaves_the_photo_as_it_is():
    photo = lesion(0)
    assert overlay(photo, np.zeros((7, 7), dtype=np.float32), 1.0).tobytes() == photo.tobytes()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_a_map_of_its_photo(lite0, method):
    explainer = Explainer(lite0)
    first, second = (explainer.heat_map(lesion(seed, dark=bool(seed)), method) for seed in (0, 1))
    for heat_map in (first, second):
        assert heat_map.dtype == np.float32
        assert heat_map.min() >= 0
        assert heat_map.max() <= 1
    assert np.abs(first - second).max() > 0.01


def test_only_attention_is_the_same_for_a_network_that_says_the_opposite(lite0):
    opposite = copy.deepcopy(lite0)
    with torch.no_grad():
        opposite.head.out.weight.neg_()
        opposite.head.out.bias.neg_()
    for method in METHODS:
        ours, theirs = (Explainer(network).heat_map(lesion(0, dark=True), method) for network in (lite0, opposite))
        assert (np.abs(ours - theirs).max() < 1e-3) == (SHOWS[method] == "attention"), method


def test_an_unknown_method_is_refused(lite0):
    with pytest.raises(ValueError, match=r"CrystalCAM.*Grad-CAM"):
        Explainer(lite0).heat_map(lesion(0), "CrystalCAM")


def test_explaining_does_not_touch_the_network_it_explains(lite0):
    before = {name: tensor.clone() for name, tensor in lite0.state_dict().items()}
    Explainer(lite0).heat_map(lesion(0), "LayerCAM")
    assert all(torch.equal(tensor, before[name]) for name, tensor in lite0.state_dict().items())
    assert not any(module._forward_hooks for module in lite0.modules())


def test_concurrent_requests_get_the_maps_of_their_own_photos(lite0):
    explainer = Explainer(lite0)
    jobs = [(seed, method) for seed in range(4) for method in METHODS]
    alone = [explainer.heat_map(lesion(seed, dark=seed % 2 == 0), method) for seed, method in jobs]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda job: explainer.heat_map(lesion(job[0], dark=job[0] % 2 == 0), job[1]), jobs))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
