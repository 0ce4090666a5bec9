"""Larger networks that compute nearly what a trained one does, for further training (Net2Net, Chen 2016)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from innersr.networks.tailored_stack import COMPRESSION_SIZE, TailoredStack


@torch.no_grad()
def with_compression(network: TailoredStack) -> TailoredStack:
    """A network with the same result that can learn to use the strength of compression."""
    if network.knows_compression:
        return network
    larger = TailoredStack(**{**network.arguments, "compression": True}, generator=torch.Generator())
    tensors = network.state_dict()
    tensors["told.weight"] = F.pad(tensors["told.weight"], (0, COMPRESSION_SIZE))
    larger.load_state_dict(tensors)
    return larger


@torch.no_grad()
def widen(network: TailoredStack, width: int, generator: torch.Generator) -> TailoredStack:
    """A wider network with the same result: new features have random inputs, and their outputs weigh 0 at first.

    The network, at most `width` features wide, is not changed.
    """
    wide = TailoredStack(**{**network.arguments, "width": width}, generator=generator)
    old = network.width
    pairs: list[Any] = [*zip(wide.heads.values(), network.heads.values(), strict=True)]
    pairs += zip(wide.body, network.body, strict=True)
    for new, given in pairs:
        new.weight[:old] = 0
        new.weight[:old, : given.weight.shape[1]] = given.weight
        new.bias[:old] = given.bias
    tails: list[Any] = [*zip(wide.tails.values(), network.tails.values(), strict=True)]
    for new, given in tails:
        new.weight.zero_()[:, :old] = given.weight
        new.bias.copy_(given.bias)
    wide.told.load_state_dict(network.told.state_dict())
    for name, film in network.film.named_parameters():
        wide_film = wide.film.get_parameter(name).zero_().unflatten(0, (-1, 2, width))
        wide_film[:, :, :old] = film.unflatten(0, (-1, 2, old))
    return wide


@torch.no_grad()
def insert_identity_layers(network: TailoredStack, depth: int, generator: torch.Generator) -> TailoredStack:
    """A deeper network with nearly the same result (Net2DeeperNet): layers that are nearly the identity are inserted.

    They are spread over the hidden layers. They differ from the identity by noise on their weights, by the leaky ReLU
    of strongly negative features, and by zero padding at the edges of the image. The network, at most `depth` layers
    deep, is not changed.
    """
    noise, lift = 0.001, 0.1  # of the weights; added to features, so that leaky ReLU changes few of them
    deep = TailoredStack(**{**network.arguments, "depth": depth}, generator=generator)
    old, count = len(network.body), depth - network.depth
    followers = [round((i + 1) * old / count) - 1 for i in range(count)]  # the layer that each new one comes after
    kept = [i + sum(f < i for f in followers) for i in range(old)]  # indices of the old ones
    layers: list[Any] = list(deep.body)
    for layer in layers:
        layer.weight.copy_(noise * torch.randn(layer.weight.shape, generator=generator))
        layer.weight[:, :, 1, 1] += torch.eye(network.width)
    for index, own in zip(kept, network.body, strict=True):
        layers[index].load_state_dict(own.state_dict())
    for part in ("heads", "tails", "told"):
        getattr(deep, part).load_state_dict(getattr(network, part).state_dict())
    for index in set(range(len(layers))) - set(kept):
        layers[index].bias += lift
        following: list[Any] = [layers[index + 1]] if index + 1 < len(layers) else [*deep.tails.values()]
        for layer in following:
            layer.bias -= lift * layer.weight.sum((1, 2, 3))
    places = [0, *(1 + i for i in kept)]  # FiLM begins with the first layer of all, the head
    for name, old_film in network.film.named_parameters():
        film = deep.film.get_parameter(name).zero_().unflatten(0, (-1, 2, network.width))
        film[places] = old_film.unflatten(0, (-1, 2, network.width))
    return deep
