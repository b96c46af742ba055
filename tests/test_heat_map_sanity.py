import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from benchmarks import heat_map_sanity as command
from isic_screen.evaluation.heat_map_sanity import (
    ENERGY_BASELINES,
    FALL_BASELINES,
    RANDOMISED,
    SHARES,
    SanityCheck,
    cell_shares,
    closeness,
    disc_like,
    energy_inside,
    estimate,
    evidence_of,
    heat_orders,
    hottest,
    logit_falls,
    mean_fall,
    randomised,
    rank_correlation,
    summarise,
)
from isic_screen.explain import heat_map_of
from isic_screen.network import Head, InputSpec, ScreenNet
from tests.conftest import lesion

SIZE, CELLS = 64, 8


class _Darkness(torch.nn.Module):
    """A feature map of 8 x 8 cells: how dark each is, and how bright."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor([1.0, -1.0, 0.5, -0.5]))

    def forward_features(self, images):
        bright = torch.nn.functional.avg_pool2d(images.mean(1, keepdim=True), SIZE // CELLS)
        return (1 - bright) * self.scale.view(1, -1, 1, 1)


@pytest.fixture
def network() -> ScreenNet:
    """Its logit grows with how dark the photo is on average, so its evidence lies where the photo is dark."""
    torch.manual_seed(0)
    head = Head(4, hidden=4)
    with torch.no_grad():
        head.hidden.weight.copy_(torch.tensor([[1.0, 0, 0, 0], [0, 0.2, 0, 0], [0, 0, 0.3, 0], [0, 0, 0, 0.4]]))
        head.hidden.bias.zero_()
        head.out.weight.copy_(torch.tensor([[8.0, -2.0, -3.0, -4.0]]))
        head.out.bias.zero_()
    return ScreenNet("darkness", _Darkness(), InputSpec(SIZE, (0, 0, 0), (1, 1, 1), "bilinear"), head).eval()


def _outline(left: int, top: int, side: int = 16) -> np.ndarray:
    outline = np.zeros((SIZE, SIZE), dtype=bool)
    outline[top : top + side, left : left + side] = True
    return outline


def _photo(outline: np.ndarray) -> Image.Image:
    return Image.fromarray(np.where(outline[..., None], 0, 255).repeat(3, axis=2).astype(np.uint8))


def test_a_cell_cut_by_the_outline_counts_by_its_area():
    outline = np.zeros((3, 4), dtype=bool)
    outline[:, 0] = True
    # Each of two rows of cells is 1.5 pixels high, each of three columns 4/3 wide: three quarters of the first.
    np.testing.assert_allclose(cell_shares(outline, (2, 3)), [[0.75, 0, 0], [0.75, 0, 0]])
    random = np.random.default_rng(0).random((150, 200)) < 0.3
    assert cell_shares(random, (7, 7)).mean() == pytest.approx(random.mean())


def test_energy_is_the_share_of_the_heat_inside():
    inside = np.array([[1.0, 0.5], [0.0, 0.0]])
    assert energy_inside(np.array([[3.0, 2.0], [4.0, 1.0]]), inside) == pytest.approx(0.4)
    assert energy_inside(np.full((2, 2), 0.7), inside) == pytest.approx(inside.mean())
    assert np.isnan(energy_inside(np.zeros((2, 2)), inside))


def test_the_hottest_pixels_are_the_hottest_and_as_many_as_asked_for():
    heat = np.random.default_rng(1).normal(size=(20, 30))
    chosen = hottest(heat, 0.3)
    assert chosen.sum() == 180
    assert heat[chosen].min() > heat[~chosen].max()
    assert hottest(np.zeros((20, 30)), 0.05).sum() == 30  # not more, where all are equal


def test_the_disc_has_the_outlines_area_and_is_round_in_the_middle():
    outline = np.zeros((150, 200), dtype=bool)
    outline[:40, :50] = True
    disc = disc_like(outline)
    assert disc.sum() == outline.sum()
    y, x = np.nonzero(disc)
    assert (y.mean(), x.mean()) == pytest.approx((74.5, 99.5), abs=0.5)
    assert np.ptp(y) == pytest.approx(np.ptp(x), abs=2)
    assert np.hypot(y - 74.5, x - 99.5).max() == pytest.approx(np.sqrt(2000 / np.pi), abs=1)


def test_a_photo_squashed_to_a_square_gets_a_disc_squashed_alike():
    y, x = np.nonzero(closeness(120, 120, 4 / 3) > -0.25)
    assert np.ptp(y) == pytest.approx(np.ptp(x) * 4 / 3, abs=2)


def test_rank_correlation_sees_order_alone():
    ordered = np.arange(9.0).reshape(3, 3)
    assert rank_correlation(ordered, np.exp(ordered)) == pytest.approx(1)
    assert rank_correlation(ordered, -(ordered**3)) == pytest.approx(-1)
    assert np.isnan(rank_correlation(ordered, np.ones((3, 3))))


def test_evidence_apart_from_the_backbone_is_the_networks(network):
    images = torch.rand(3, 3, SIZE, SIZE)
    with torch.inference_mode():
        expected = network.forward_with_evidence(images)[1]
        torch.testing.assert_close(evidence_of(network.head, network.activations(images)), expected)


def test_randomising_changes_its_part_alone_and_the_same_seed_alike(network):
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    head, whole = randomised(network, "head", 3).state_dict(), randomised(network, "network", 3).state_dict()
    assert torch.equal(head["backbone.scale"], before["backbone.scale"])
    assert not torch.equal(whole["backbone.scale"], before["backbone.scale"])
    for changed in (head, whole):
        assert not torch.equal(changed["head.hidden.weight"], before["head.hidden.weight"])
        for name, tensor in changed.items():  # the values are still those, in another order
            assert torch.equal(tensor.flatten().sort().values, before[name].flatten().sort().values)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    again, other = (randomised(network, "head", seed).state_dict()["head.hidden.weight"] for seed in (3, 4))
    assert torch.equal(again, head["head.hidden.weight"])
    assert not torch.equal(other, again)


def test_random_pixels_are_the_maps_cells_in_another_place():
    evidence = np.random.default_rng(2).normal(size=(8, 8))
    orders = heat_orders(evidence, SIZE, 1.0, np.random.default_rng(0))
    assert rank_correlation(orders["map"], np.kron(evidence, np.ones((8, 8)))) > 0.7
    assert abs(rank_correlation(orders["random"], orders["map"])) < 0.3
    # As coarse as the map: neighbours differ by as little.
    steps = {way: np.abs(np.diff(order, axis=1)).mean() for way, order in orders.items()}
    assert steps["random"] == pytest.approx(steps["map"], rel=0.3)
    assert np.unravel_index(orders["disc"].argmax(), (SIZE, SIZE)) == (31, 31)


def test_a_perfect_map_takes_all_of_the_logit_and_random_pixels_their_share():
    region = torch.from_numpy(_outline(0, 0, 20))  # 400 of 4,096 pixels, 9.8 %

    def logits_of(images):
        return images[:, 0, region].mean(1)

    images = torch.ones(4, 3, SIZE, SIZE)
    perfect = region.numpy().astype(float)
    generator = np.random.default_rng(0)
    random = [generator.random((SIZE, SIZE)) for _ in range(4)]
    falls = logit_falls(logits_of, images, torch.zeros_like(images), [perfect] * 4)
    np.testing.assert_allclose(falls[0], [205 / 400, 1, 1, 1, 1], rtol=1e-6)
    by_chance = logit_falls(logits_of, images, torch.zeros_like(images), random)
    np.testing.assert_allclose(by_chance.mean(0), SHARES, atol=0.05)
    assert (mean_fall(falls) > mean_fall(by_chance) + 0.5).all()


def test_the_mean_fall_of_a_straight_curve_is_half_its_end():
    np.testing.assert_allclose(mean_fall(np.array([SHARES, [2 * share for share in SHARES]])), [0.25, 0.5])
    from_zero = 1 - SHARES[0] / SHARES[-1] / 2  # it rises from 0
    np.testing.assert_allclose(mean_fall(np.ones((1, len(SHARES)))), [from_zero])


@pytest.mark.parametrize("fill", ["blur", "mean"])
def test_a_map_that_follows_the_lesion_beats_the_disc(network, fill):
    places = [(left, top) for left in (0, 10, 36, 48) for top in (0, 10, 36, 48)]
    outlines = [_outline(*place) for place in places]
    perturbed = [index % 4 != 0 for index in range(len(outlines))]
    check = SanityCheck(network, fill, seeds=(0, 1))
    measured = check.measure([_photo(outline) for outline in outlines], outlines, perturbed)
    first = measured[0]
    assert first["energy/map"] == pytest.approx(1)
    assert first["energy/uniform"] == pytest.approx(1 / 16)
    assert first["energy/disc"] == 0
    assert np.isnan(first["energy/another_photo"])
    assert measured[1]["energy/another_photo"] == pytest.approx(6 / 16)  # 10 pixels further down
    assert "mean_fall/map" not in first
    rows = pd.DataFrame(measured).assign(target=np.array(perturbed, dtype=int), group=np.arange(16))
    result = summarise(rows)
    for kind, block in (
        *((name, result["energy_inside"][name]) for name in ("all", "melanoma", "other")),
        ("falls", result["perturbation"]["mean_fall"]),
    ):
        assert block["map_minus"]["disc"]["value"] > 0, kind
    assert result["energy_inside"]["all"]["uniform"]["value"] == pytest.approx(1 / 16)
    assert result["perturbation"]["mean_fall"]["map"]["n"] == 12
    assert result["perturbation"]["mean_fall"]["map_minus"]["disc"]["low"] > 0
    assert "better than a centred disc in the heat inside the lesion and the effect of" in command.conclusion(result)


@pytest.mark.parametrize("fill", ["blur", "mean"])
def test_a_photo_among_others_has_the_falls_that_it_has_alone(network, fill):
    outlines = [_outline(0, 0, side) for side in (8, 24, 40)]
    photos = [_photo(outline) for outline in outlines]
    together = SanityCheck(network, fill, seeds=(0,)).measure(photos, outlines, [False, True, True])
    for index in (1, 2):
        (alone,) = SanityCheck(network, fill, seeds=(0,)).measure([photos[index]], [outlines[index]], [True])
        for way in ("map", "disc"):
            expected = {name: value for name, value in alone.items() if f"fall/{way}" in name}
            assert len(expected) == len(SHARES) + 1
            assert {name: together[index][name] for name in expected} == pytest.approx(expected, abs=1e-5)
    assert together[1]["mean_fall/map"] != pytest.approx(together[2]["mean_fall/map"], abs=1e-3)


def test_the_disc_removed_from_a_wide_photo_is_round_on_the_photo(network):
    outline = np.zeros((SIZE, 2 * SIZE), dtype=bool)
    outline[24:40] = True  # a band across the photo
    (row,) = SanityCheck(network, "mean", seeds=(0,)).measure([_photo(outline)], [outline], [True])
    y, x = (np.mgrid[0:SIZE, 0:SIZE] + 0.5) / SIZE - 0.5
    removed = hottest(-np.hypot(2 * x, y), 0.2)
    image = network.input_spec.tensor(_photo(outline[:, ::2]))
    with torch.inference_mode():
        before, after = network(torch.stack([image, torch.where(torch.from_numpy(removed), image.mean(), image)]))
    assert row["fall/disc/0.2"] == pytest.approx(float(before - after), abs=1e-3)


def test_randomised_networks_are_the_ones_that_photos_are_compared_with(lite0):
    photo, outline = lesion(1), np.ones((120, 160), dtype=bool)
    (row,) = SanityCheck(lite0, seeds=(0, 1)).measure([photo], [outline], [False])
    image = lite0.input_spec.tensor(lite0.input_spec.resize(photo))[None]

    def map_of(network: ScreenNet) -> np.ndarray:
        with torch.inference_mode():
            return heat_map_of(network.forward_with_evidence(image)[1][0].numpy())

    for part in RANDOMISED:
        similar = [rank_correlation(map_of(lite0), map_of(randomised(lite0, part, seed))) for seed in (0, 1)]
        assert row[f"similarity/random_{part}"] == pytest.approx(np.nanmean(similar), abs=1e-3)
        assert np.nanmean(similar) < 0.9


def test_another_photos_map_is_the_last_one_that_is_not_empty(network):
    outlines = [_outline(0, 0), _outline(32, 32), _outline(0, 0)]
    blank = Image.new("RGB", (SIZE, SIZE), "white")
    rows = SanityCheck(network, seeds=(0,)).measure(
        [_photo(outlines[0]), blank, _photo(outlines[2])], outlines, [False] * 3
    )
    assert np.isnan(rows[1]["energy/map"])
    assert [row["energy/another_photo"] for row in rows[1:]] == [0, 1]


def test_pixels_drawn_at_random_are_the_same_in_every_run(network):
    outline = _outline(10, 10)
    first, second = (
        SanityCheck(network, seeds=(0,)).measure([_photo(outline)] * 2, [outline] * 2, [True] * 2) for _ in range(2)
    )
    assert [row["mean_fall/random"] for row in first] == [row["mean_fall/random"] for row in second]
    assert first[0]["mean_fall/random"] != first[1]["mean_fall/random"]


def test_the_classes_are_summarised_apart():
    columns = [
        f"{kind}/{name}"
        for kind, names in (
            ("energy", ("map", *ENERGY_BASELINES)),
            ("similarity", ("random_head", "random_network")),
            ("mean_fall", ("map", *FALL_BASELINES)),
            *((f"fall/{way}", SHARES) for way in ("map", *FALL_BASELINES)),
        )
        for name in names
    ]
    rows = pd.DataFrame({"target": [1, 0, 0, 0], "group": range(4), **dict.fromkeys(columns, 0.0)})
    energy = summarise(rows.assign(**{"energy/map": [0.8, 0.2, 0.4, np.nan]}))["energy_inside"]
    means = {kind: (block["map"]["value"], block["map"]["n"]) for kind, block in energy.items()}
    assert means == {"all": (pytest.approx(1.4 / 3), 3), "melanoma": (0.8, 1), "other": (pytest.approx(0.3), 2)}


def test_an_empty_map_is_counted_and_left_out(network):
    outline = _outline(0, 0)
    network.head.out.weight.data.neg_()  # all evidence now speaks against
    measured = SanityCheck(network, seeds=(0,)).measure([_photo(outline)] * 2, [outline] * 2, [True, False])
    assert np.isnan(measured[0]["energy/map"])
    result = summarise(pd.DataFrame(measured).assign(target=[1, 0], group=[0, 1]))
    assert result["empty_maps"] == {"all": 2, "melanoma": 1, "other": 1}
    assert result["energy_inside"]["all"]["map"]["value"] is None
    assert "lesion is undefined: not comparable with a uniform map (undefined)" in command.conclusion(result)


def test_estimates_leave_out_what_is_undefined_and_draw_whole_lesions():
    random = np.random.default_rng(0)
    of_lesion = random.normal(size=40)
    rows = pd.DataFrame({"target": 1, "group": np.repeat(np.arange(40), 5)})
    values = pd.Series(np.repeat(of_lesion, 5))
    by_lesion = estimate(rows, values)
    assert by_lesion.value == pytest.approx(of_lesion.mean())
    assert (by_lesion.high - by_lesion.low) / 3.92 == pytest.approx(of_lesion.std() / np.sqrt(40), rel=0.15)
    values[rows["group"] >= 20] = np.nan
    assert estimate(rows, values).value == pytest.approx(of_lesion[:20].mean())
    assert estimate(rows, values).groups == 20
