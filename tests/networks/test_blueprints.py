"""The table of networks: records name every argument, and no header may ask for a huge network."""

import inspect
import json

import pytest
import torch

from helpers.priors import networks
from innersr.errors import InputError
from innersr.networks.blueprints import BLUEPRINTS, network_record
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


def test_the_largest_network_that_a_header_may_ask_for_fits_in_a_gigabyte():
    most = 0
    for blueprint in BLUEPRINTS.values():
        limit = {name: allowed[-1] for name, allowed in blueprint.arguments.items() if isinstance(allowed, range)}
        if "width" not in limit:  # the policy's three linear layers
            most = max(most, 4 * 3 * (max(limit.values()) + 1) ** 2)
            continue
        if "depth" not in limit:  # the predictor's, whose five layers end twice as wide
            most = max(most, 4 * 9 * 10 * limit["width"] ** 2)
            continue
        hidden = 9 * limit["width"] ** 2 * (limit["depth"] - 2)
        ends = 9 * limit["width"] * limit["channels"] * (1 + 2 * 64)
        film = 2 * limit["width"] * limit["depth"] * limit.get("hidden", 0)
        most = max(most, 4 * (hidden + ends + film))
    assert most < 1e9
