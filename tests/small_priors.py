"""Networks and priors so small that a test can write and read them in a moment."""

import hashlib
import json

import torch

from innersr.checkpoint import network_record, save_checkpoint
from innersr.networks import DetailStack
from innersr.tailored import TailoredStack


def networks(seed=3):
    """Return a network of every kind that checkpoints hold, with drawn biases too."""
    generator = torch.Generator().manual_seed(seed)
    made = [
        DetailStack(2, factors=(2, 3), width=4, depth=3, bias=True, generator=generator),
        DetailStack(1, width=5, depth=2, generator=generator),
        TailoredStack(1, width=4, depth=3, hidden=6, generator=generator),
    ]
    for network in made:
        for parameter in network.parameters():
            if parameter.dim() == 1:
                parameter.data = torch.randn(parameter.shape, generator=generator)
    return made


def header_of(network, **more):
    return {"kind": "prior", "network": network_record(network), "provenance": {"seed": 3}, **more}


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
