"""Priors by name and by path: the right network, checked before it is believed, or an error that says what to do."""

import hashlib
import json
import os
import re
from pathlib import Path

import pytest
import torch

from helpers.priors import networks, package, write_prior
from innersr.errors import CheckpointError, InputError
from innersr.networks.checkpoints import save_checkpoint
from innersr.networks.int8 import from_int8, to_int8
from innersr.networks.priors import PACKAGED, PackagedPrior, describe_prior, load_prior, packaged_priors, prior_names

KNOWN = prior_names()
NAMES_OR_NONE = r"(none is packaged;|choose .*, or) give the path of a \.safetensors file"


@pytest.fixture
def folder(tmp_path):
    return package(tmp_path)


def weights_of(network):
    return torch.cat([parameter.flatten() for parameter in network.parameters()])


def stored_weights():
    stored = from_int8(to_int8(networks()[0].state_dict()))
    return torch.cat([tensor.float().flatten() for tensor in stored.values()])


# By name


def test_a_packaged_prior_is_loaded_by_its_name(folder):
    assert prior_names(folder) == ("tiny",)
    network = load_prior("tiny", folder)
    assert torch.equal(weights_of(network), stored_weights())
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_each_load_gives_a_network_of_its_own(folder):
    with torch.no_grad():
        for parameter in load_prior("tiny", folder).parameters():
            parameter.zero_()
    assert torch.equal(weights_of(load_prior("tiny", folder)), stored_weights())


def test_the_index_says_size_and_purpose(folder):
    data = (folder / "tiny.safetensors").read_bytes()
    assert packaged_priors(folder) == {"tiny": PackagedPrior(hashlib.sha256(data).hexdigest(), len(data), "for tests")}


def test_an_unknown_name_lists_the_names(folder):
    with pytest.raises(InputError, match=r"no prior is called 'tinny'; choose tiny, or give the path"):
        load_prior("tinny", folder)
    with pytest.raises(InputError, match=NAMES_OR_NONE):
        describe_prior("")


def test_an_empty_index_is_reported(tmp_path):
    (tmp_path / "index.json").write_text("{}")
    assert prior_names(tmp_path) == ()
    with pytest.raises(InputError, match="'tiny'; none is packaged; give the path"):
        load_prior("tiny", tmp_path)


def test_a_name_beside_a_file_of_that_name_is_still_the_packaged_prior(folder, monkeypatch):
    monkeypatch.chdir(folder)
    Path("tiny").write_bytes(b"something else")
    assert torch.equal(weights_of(load_prior("tiny", folder)), stored_weights())


@pytest.mark.parametrize("act", [load_prior, describe_prior])
def test_a_changed_bit_of_a_packaged_prior_means_to_install_again(folder, act):
    file = folder / "tiny.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(
        CheckpointError, match=r"prior tiny is not as it was released .* damaged; install innersr again"
    ):
        act("tiny", folder)


def test_the_hash_is_checked_before_the_file_is_parsed(folder):
    (folder / "tiny.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(CheckpointError, match="SHA-256 differs"):
        load_prior("tiny", folder)


def test_a_packaged_file_that_is_missing_means_to_install_again(folder):
    (folder / "tiny.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"prior tiny cannot be read \(No such file.*install innersr again"):
        load_prior("tiny", folder)


@pytest.mark.parametrize("text", [None, "", "[]", "3", '{"tiny": {}}', '{"tiny": 3}', '{"tiny": {"sha": 1}}'])
def test_a_damaged_index_means_to_install_again(folder, text):
    index = folder / "index.json"
    index.unlink() if text is None else index.write_text(text)
    with pytest.raises(CheckpointError, match="index of the priors cannot be read .*install innersr again"):
        prior_names(folder)


# By path


def test_a_file_is_loaded_by_its_path(tmp_path, monkeypatch):
    file = write_prior(tmp_path / "mine.safetensors")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bare").write_bytes(file.read_bytes())
    for path in (file, str(file), "mine.safetensors", os.path.join(".", "bare"), Path("bare")):  # noqa: PTH118 (Path drops the dot)
        assert torch.equal(weights_of(load_prior(path)), stored_weights())


def test_a_path_that_is_missing_is_reported(tmp_path):
    with pytest.raises(CheckpointError, match=r"mine\.safetensors: no such file"):
        load_prior(tmp_path / "mine.safetensors")


def test_the_state_of_a_training_is_no_prior(tmp_path):
    file = tmp_path / "mine.state.safetensors"
    save_checkpoint(file, {"x": torch.zeros(1)}, {"kind": "training"})
    for act in (load_prior, describe_prior):
        with pytest.raises(CheckpointError, match=r"mine\.state\.safetensors: .* give the file without \.state"):
            act(str(file))


def test_tensors_that_do_not_fit_are_named_with_the_file(tmp_path):
    network = networks()[0]
    tensors = dict(list(network.state_dict().items())[1:])
    file = tmp_path / "mine.safetensors"
    record = {"name": "DetailStack", "arguments": network.arguments}
    save_checkpoint(file, tensors, {"kind": "prior", "network": record})
    with pytest.raises(CheckpointError, match=rf"^{re.escape(str(file))}: .*it lacks 'convolutions\.0\.weight'"):
        load_prior(file)


@pytest.mark.parametrize("act", [load_prior, describe_prior])
def test_a_file_that_does_not_fit_its_network_is_not_read(tmp_path, monkeypatch, act):
    network = networks()[0]
    record = {"name": "DetailStack", "arguments": network.arguments}
    file = tmp_path / "mine.safetensors"
    save_checkpoint(file, {**network.state_dict(), "much": torch.zeros(2000)}, {"kind": "prior", "network": record})
    monkeypatch.setattr(Path, "read_bytes", pytest.fail)
    with pytest.raises(CheckpointError, match=rf"^{re.escape(str(file))}: .* it has unexpected 'much'"):
        act(file)


# Descriptions


def test_a_description_has_header_count_and_card(folder):
    header, count, card = describe_prior("tiny", folder)
    assert header["network"]["arguments"]["factors"] == [2, 3]
    assert count == 9 * (2 * 4 + 4 * 4 + 4 * 12) + 4 + 4 + 12
    assert card == "# Tiny\n\nMade by a test.\n"
    assert describe_prior(folder / "tiny.safetensors") == (header, count, card)


def test_a_prior_without_a_card_is_described_too(folder):
    (folder / "tiny.md").unlink()
    assert describe_prior("tiny", folder).card is None


# What is packaged


@pytest.mark.parametrize("name", KNOWN)
def test_every_packaged_prior_loads_and_has_a_card(name):
    assert (PACKAGED / f"{name}.safetensors").stat().st_size == packaged_priors()[name].bytes
    assert "\n" not in packaged_priors()[name].about
    assert all(parameter.isfinite().all() for parameter in load_prior(name).parameters())
    assert describe_prior(name).card


def test_the_index_lists_every_packaged_file():
    files = {Path(file.name).stem for file in PACKAGED.iterdir() if file.name.endswith(".safetensors")}
    assert files == set(KNOWN)
    assert json.loads((PACKAGED / "index.json").read_text()).keys() == set(KNOWN)


def test_a_packaged_prior_is_the_same_whatever_was_done_to_an_earlier_one():
    first = load_prior("tailor")
    before = first.tails["2"].weight.clone()
    first.tails["2"].weight.zero_()
    assert torch.equal(load_prior("tailor").tails["2"].weight, before)
