import shutil

import numpy as np
import pytest
import torch

from isic_screen import frames
from isic_screen.network import build_network
from isic_screen.photo import open_photo
from isic_screen.training import features as features_module
from isic_screen.training.augmentation import Augmentation
from isic_screen.training.features import FeatureExtractor

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build_network("resnet10t", weights=None, input_size=64)


@pytest.fixture
def paths(lesion_folder, tmp_path) -> list[str]:
    folder = shutil.copytree(lesion_folder / "images", tmp_path / "images")
    return [str(path) for path in sorted(folder.iterdir())][:40]


def _extractor(network, /, **changes) -> FeatureExtractor:
    whole = {
        "network": network,
        "augmentation": Augmentation(0.5, 0.5, 20.0),
        "views": 2,
        "seed": 0,
        "device": CPU,
        "dtype": torch.float32,
        "workers": 2,
    }
    return FeatureExtractor(**{**whole, **changes})


@pytest.fixture
def passes(monkeypatch) -> list[int]:
    """How many images each call of the backbone got."""
    seen: list[int] = []
    embed = FeatureExtractor._embed

    def counting(self, images, contents, view):
        seen.append(len(images))
        return embed(self, images, contents, view)

    monkeypatch.setattr(FeatureExtractor, "_embed", counting)
    return seen


def test_plain_features_are_what_the_network_serves(network, paths, tmp_path):
    features = _extractor(network).cached(paths, tmp_path / "cache")
    assert features.views.shape == (40, 3, 512)
    with torch.inference_mode():
        served = network.features(network.input_spec(open_photo(paths[7])).unsqueeze(0))[0].numpy()
    np.testing.assert_allclose(features.plain[7], served, atol=1e-5)
    assert np.abs(features.views[:, 1] - features.views[:, 2]).max() > 0.01


def test_a_second_run_reads_the_cache(network, paths, tmp_path, passes):
    first = _extractor(network).cached(paths, tmp_path / "cache")
    computed = len(passes)
    second = _extractor(network).cached(paths, tmp_path / "cache")
    assert computed > 0
    assert len(passes) == computed
    np.testing.assert_array_equal(first.views, second.views)


@pytest.mark.parametrize(
    "change",
    ["seed", "views", "augmentation", "weights", "content", "size", "dtype", "borders"],
)
def test_a_stale_cache_is_never_used(network, paths, tmp_path, passes, change, monkeypatch):
    _extractor(network).cached(paths, tmp_path / "cache")
    computed = len(passes)
    changed = {}
    if change == "seed":
        changed = {"seed": 1}
    elif change == "views":
        changed = {"views": 3}
    elif change == "augmentation":
        changed = {"augmentation": Augmentation(0.5, 0.5, 10.0)}
    elif change == "weights":
        torch.manual_seed(9)
        changed = {"network": build_network("resnet10t", weights=None, input_size=64)}
    elif change == "size":
        torch.manual_seed(0)
        changed = {"network": build_network("resnet10t", weights=None, input_size=96)}
    elif change == "borders":
        monkeypatch.setattr(frames, "REVISION", frames.REVISION + 1)
    elif change == "dtype":
        changed = {"dtype": torch.bfloat16}
    else:
        shutil.copy(paths[0], paths[1])  # same name, other pixels
    _extractor(network, **changed).cached(paths, tmp_path / "cache")
    assert len(passes) > computed


def test_a_killed_pass_goes_on_where_it_stopped(network, paths, tmp_path, passes, monkeypatch):
    expected = _extractor(network).cached(paths, tmp_path / "whole")
    del passes[:]
    embed = FeatureExtractor._embed

    def killed_in_the_second_batch(self, images, contents, view):
        if len(passes) == 3:
            raise KeyboardInterrupt
        return embed(self, images, contents, view)

    with monkeypatch.context() as patch:
        patch.setattr(FeatureExtractor, "_embed", killed_in_the_second_batch)
        with pytest.raises(KeyboardInterrupt):
            _extractor(network).cached(paths, tmp_path / "cache")
    del passes[:]
    resumed = _extractor(network).cached(paths, tmp_path / "cache")
    assert sum(passes) == 3 * (40 - features_module._IMAGES_PER_BATCH)
    np.testing.assert_allclose(resumed.views, expected.views, atol=1e-5)


def test_an_unreadable_image_is_listed_and_the_pass_goes_on(network, paths, tmp_path):
    with open(paths[3], "wb") as file:
        file.write(b"no photo")
    for _ in range(2):  # computed, then from the cache
        features = _extractor(network).cached(paths, tmp_path / "cache")
        assert list(features.unreadable) == [3]
        assert "lesion-03.jpg" in features.unreadable[3]
        assert not features.views[3].any()
        assert features.views[4].any()


def test_augmentation_does_not_depend_on_the_order_of_images(network, paths, tmp_path):
    there = _extractor(network).cached(paths, tmp_path / "cache")
    back = _extractor(network).cached(paths[::-1], tmp_path / "cache")
    np.testing.assert_allclose(there.views, back.views[::-1], atol=1e-5)


def test_augmentation_flips_and_turns_as_told():
    photo = open_photo_like_marked()
    always = Augmentation(1.0, 0.0, 0.0)(photo, np.random.default_rng(0))
    assert always.getpixel((63, 0)) == (255, 0, 0)
    upside_down = Augmentation(0.0, 1.0, 0.0)(photo, np.random.default_rng(0))
    assert upside_down.getpixel((0, 63)) == (255, 0, 0)
    assert Augmentation(0.0, 0.0, 0.0)(photo, np.random.default_rng(0)).tobytes() == photo.tobytes()
    turned = Augmentation(0.0, 0.0, 20.0)(photo, np.random.default_rng(0))
    assert turned.size == photo.size
    assert turned.tobytes() != photo.tobytes()


def open_photo_like_marked():
    """A grey square with a red corner."""
    from PIL import Image

    photo = Image.new("RGB", (64, 64), (128, 128, 128))
    photo.paste((255, 0, 0), (0, 0, 8, 8))
    return photo
