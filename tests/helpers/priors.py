"""Networks and priors so small that a test can write and read them in a moment."""

import functools
import hashlib
import json
import tempfile
from pathlib import Path

import torch

from innersr.networks.blueprints import network_record
from innersr.networks.checkpoints import save_checkpoint
from innersr.networks.detail_stack import DetailStack
from innersr.networks.tailored_stack import TailoredStack


def networks(seed=3):
    """Return a network of every kind that checkpoints hold, with drawn biases too."""
    generator = torch.Generator().manual_seed(seed)
    made = [
        DetailStack(2, factors=(2, 3), width=4, depth=3, bias=True, generator=generator),
        DetailStack(1, width=5, depth=2, generator=generator),
        TailoredStack(1, width=4, depth=3, hidden=6, generator=generator),
        TailoredStack(1, width=4, depth=3, hidden=6, compression=True, generator=generator),
    ]
    for network in made:
        for parameter in network.parameters():
            if parameter.dim() == 1:
                parameter.data = torch.randn(parameter.shape, generator=generator)
    return made


def network_for(method):
    """Return an untrained network that can be the prior of a method, by its name.

    A network with biases knows from its training alone what black is, and that flat places lack nothing; trained
    ones are some hundredths of a level off. (Tailor adds nothing in flat places, whatever its network says.) So that
    the contract of every method can be exact, the biases here are 0, which keeps black, and the last layer is faint:
    it adds at most a fifth of an 8-bit level to flat white.
    """
    generator = torch.Generator().manual_seed(4)
    if method == "tailor":
        return TailoredStack(width=8, depth=3, hidden=6, generator=generator)
    # At HR resolution, which takes any scale.
    network = DetailStack(3, factors=(1, 1), width=8, depth=3, bias=True, generator=generator)
    network.convolutions[-1].weight.data *= 0.005
    return network


@functools.cache
def prior_for(method):
    """Return the path of a file with `network_for(method)`, written once, and removed as the tests end."""
    folder = _folder_of_the_session()
    return str(write_prior(Path(folder.name) / f"{method}.safetensors", network_for(method)))


@functools.cache
def _folder_of_the_session():
    return tempfile.TemporaryDirectory(prefix="innersr-priors-")


def header_of(network, **more):
    return {"kind": "prior", "network": network_record(network), "provenance": {"seed": 3}} | more


def write_prior(path, network=None, **more):
    """Write a network as a prior and return its path."""
    network = network or networks()[0]
    save_checkpoint(path, network.state_dict(), header_of(network, **more))
    return path


def package(folder, name="tiny", about="for tests"):
    """Make `folder` a folder of packaged priors with one in it, and return it."""
    file = write_prior(folder / f"{name}.safetensors")
    data = file.read_bytes()
    entry = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "about": about}
    (folder / f"{name}.md").write_text("# Tiny\n\nMade by a test.\n", encoding="utf-8")
    (folder / "index.json").write_text(json.dumps({name: entry}), encoding="utf-8")
    return folder
