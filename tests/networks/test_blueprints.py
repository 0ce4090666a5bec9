"""The table of networks: records name every argument, and no header may ask for a huge network."""

import inspect
import json

import pytest
import torch

from helpers.priors import networks
from innersr.errors import InputError
from innersr.networks.blueprints import BLUEPRINTS, construct, network_record
from innersr.networks.detail_stack import DetailStack
from innersr.run import Run


@pytest.mark.parametrize("network", networks(), ids=lambda network: type(network).__name__)
def test_a_record_names_every_argument_that_shapes_the_network(network):
    record = network_record(network)
    assert json.loads(json.dumps(record)) == record
    assert set(record["arguments"]) == set(BLUEPRINTS[record["name"]].arguments)
    assert set(record["arguments"]) <= set(inspect.signature(type(network)).parameters)


def test_only_networks_of_the_table_are_recorded():
    with pytest.raises(InputError, match="DetailStack, TailoredStack, DegradationPredictor, MixturePolicy, got a ReLU"):
        network_record(torch.nn.ReLU())


def test_a_network_larger_than_the_limits_is_not_recorded():
    network = DetailStack(1, width=4, depth=66, generator=Run().generator())
    with pytest.raises(InputError, match="depth of its network is a whole number from 2 to 64, got 66"):
        network_record(network)


def test_a_network_with_too_many_weights_is_not_recorded():
    network = DetailStack(1, width=512, depth=20, generator=None)
    with pytest.raises(InputError, match="its network has 42476544 weights, the most are 33554432"):
        network_record(network)


@pytest.mark.parametrize("network", networks(), ids=lambda network: type(network).__name__)
def test_without_a_generator_a_network_has_shapes_only(network):
    outline = construct(network_record(network), None)
    assert all(parameter.is_meta for parameter in outline.parameters())
    assert {n: t.shape for n, t in outline.state_dict().items()} == {
        n: t.shape for n, t in network.state_dict().items()
    }
