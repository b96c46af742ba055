"""The network as it is served says what the network says."""

import pytest
import torch
from torch import nn

from isic_screen.folding import folded
from isic_screen.network import build_network


def _batch_norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def _unsettled(network):
    """Batch norms with statistics of their own: fresh ones multiply by one and add nothing."""
    generator = torch.Generator().manual_seed(2)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
            module.bias.data.normal_(0, 0.2, generator=generator)
    return network.eval()


def _same(network, other, images):
    with torch.inference_mode():
        for found, expected in zip(other.forward_whole(images), network.forward_whole(images), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))


# A network of plain batch norms, one of timm's with the activation inside, and one without any.
@pytest.mark.parametrize("backbone", ["resnet10t", "tf_efficientnet_lite0", "vit_tiny_patch16_224"])
def test_the_served_network_says_the_same_with_no_batch_norm_left(backbone):
    torch.manual_seed(0)
    network = _unsettled(build_network(backbone, weights=None, hidden=8))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    served = folded(network)
    assert _batch_norms(served) == 0
    _same(network, served, torch.randn(3, 3, network.input_spec.size, network.input_spec.size))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert not served.training


def test_the_bundled_model_is_folded_whole(bundled_model):
    assert _batch_norms(bundled_model.network) > 40
    assert _batch_norms(folded(bundled_model.network)) == 0


class _Read(nn.Module):
    """A convolution whose output goes on past the batch norm as well."""

    def __init__(self, convolution: nn.Conv2d, norm: nn.Module) -> None:
        super().__init__()
        self.convolution, self.norm = convolution, norm

    def forward(self, images):
        found = self.convolution(images)
        return self.norm(found) + found


def test_a_convolution_that_something_else_reads_is_left_as_it_is():
    torch.manual_seed(0)
    network = _unsettled(build_network("resnet10t", weights=None, hidden=8, input_size=64))
    block = network.backbone.layer1[0]
    block.bn2 = _Read(nn.Conv2d(64, 64, 1), block.bn2)
    served = folded(network)
    assert _batch_norms(served) == _batch_norms(network)
    _same(network, served, torch.randn(2, 3, 64, 64))


def test_a_convolution_that_runs_twice_keeps_its_batch_norm():
    torch.manual_seed(0)
    network = _unsettled(build_network("resnet10t", weights=None, hidden=8, input_size=64))
    block = network.backbone.layer1[0]
    twice = nn.Conv2d(64, 64, 1)
    block.bn2 = nn.Sequential(twice, nn.BatchNorm2d(64), nn.ReLU(), twice, block.bn2)
    served = folded(_unsettled(network))
    assert _batch_norms(served) == 2
    _same(network, served, torch.randn(2, 3, 64, 64))
