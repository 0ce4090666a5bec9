"""Checkpoint files: what is written comes back, atomically; what is damaged or foreign is refused and runs nothing."""

import io
import json
import os
import re
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.priors import header_of, networks, write_prior
from innersr.errors import CheckpointError, InputError
from innersr.networks.checkpoints import (
    FORMAT,
    Checkpoint,
    build_network,
    load_checkpoint,
    outline_of,
    parse_checkpoint,
    save_checkpoint,
)
from innersr.networks.detail_stack import DetailStack
from innersr.networks.int8 import from_int8, to_int8
from innersr.run import Run

PACKED = 1 / 127 / 2 + 2.0**-11  # rounding to 8 bits, by a channel's largest weight, and of that one
TRAINING = {"kind": "training", "settings": {"steps": 7, "rate": 1e-4}}
PIXELS = torch.linspace(0, 1, 2 * 6 * 5).reshape(1, 2, 6, 5)


def drawn(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def foreign(path, metadata=None, header=None):
    """Write a safetensors file with this metadata, or with this text as its header of ours."""
    if header is not None:
        metadata = {"innersr": header if isinstance(header, str) else json.dumps(header)}
    safetensors.torch.save_file({"x": torch.zeros(3)}, path, metadata=metadata)
    return path


def refusal(path, kind=None):
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path, kind)
    text = str(caught.value)
    assert text.startswith(f"{path}: ") and "\n" not in text
    return text


def unbuildable(tensors, header):
    with pytest.raises(CheckpointError, match="^prior.st: ") as caught:
        build_network(Checkpoint(tensors, header), "prior.st")
    return str(caught.value)


def changed(**arguments):
    """Return a header whose network has other arguments."""
    header = header_of(networks()[0])
    header["network"]["arguments"] |= arguments
    return header


# What comes back


def test_the_state_of_a_training_comes_back_to_the_bit(tmp_path):
    file = tmp_path / "run.state.safetensors"
    tensors = {"weight": drawn(3, 2, 3, 3), "step": torch.tensor(12), "flags": torch.tensor([True, False])}
    save_checkpoint(file, tensors, TRAINING)
    loaded = load_checkpoint(file, "training")
    assert loaded.header == {**TRAINING, "format": FORMAT}
    assert set(loaded.tensors) == set(tensors)
    for name, tensor in tensors.items():
        assert loaded.tensors[name].dtype == tensor.dtype
        assert torch.equal(loaded.tensors[name], tensor)


def test_values_survive_any_memory_layout_and_shared_memory(tmp_path):
    rows = drawn(4, 3, 3, 3)
    last = rows.contiguous(memory_format=torch.channels_last)
    tensors = {"last": last, "rows": rows, "again": rows, "turned": drawn(3, 5).T, "part": rows[1:, ::2]}
    save_checkpoint(tmp_path / "a.safetensors", tensors, TRAINING)
    loaded = load_checkpoint(tmp_path / "a.safetensors").tensors
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors.items())


def test_a_prior_is_stored_in_a_quarter_of_the_bytes(tmp_path):
    network = DetailStack(3, width=48, depth=4, generator=Run().generator())
    file = write_prior(tmp_path / "a.safetensors", network)
    assert file.stat().st_size < 0.25 * 4 * sum(p.numel() for p in network.parameters()) + 3000  # header and peaks
    loaded = load_checkpoint(file, "prior")
    assert set(loaded.tensors) == set(network.state_dict())
    for name, tensor in network.state_dict().items():
        largest = tensor.flatten(1).abs().amax(1).view(-1, 1, 1, 1)
        assert ((loaded.tensors[name] - tensor).abs() <= PACKED * largest).all()


def test_a_prior_that_is_saved_again_is_the_same(tmp_path):
    first = write_prior(tmp_path / "a.safetensors")
    again = write_prior(tmp_path / "b.safetensors", build_network(load_checkpoint(first)))
    assert again.read_bytes() == first.read_bytes()


@pytest.mark.parametrize("index", range(3))
def test_a_network_is_built_as_it_was(tmp_path, index):
    network = networks()[index]
    built = build_network(load_checkpoint(write_prior(tmp_path / "a.safetensors", network)))
    assert type(built) is type(network)
    assert built.arguments == network.arguments
    assert not built.training
    expected = from_int8(to_int8(network.state_dict()))
    for name, parameter in built.named_parameters():
        assert parameter.dtype == torch.float32 and not parameter.requires_grad
        torch.testing.assert_close(parameter, expected[name].float(), rtol=0, atol=0)
        assert parameter.dim() != 4 or parameter.is_contiguous(memory_format=torch.channels_last)


def test_a_built_network_computes_the_same(tmp_path):
    network = networks()[0]
    built = build_network(load_checkpoint(write_prior(tmp_path / "a.safetensors", network)))
    # Three layers of some dozen terms, whose roundings have either sign.
    torch.testing.assert_close(built(PIXELS), network(PIXELS), rtol=0, atol=10 * PACKED)


def test_the_same_prior_gives_the_same_bytes(tmp_path):
    files = [write_prior(tmp_path / f"{name}.safetensors") for name in "ab"]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_building_leaves_the_global_generator_alone(tmp_path):
    loaded = load_checkpoint(write_prior(tmp_path / "a.safetensors"))
    before = torch.get_rng_state()
    build_network(loaded)
    assert torch.equal(torch.get_rng_state(), before)


# What is refused when it is written


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Path("x"), torch.zeros(1)], ids=repr)
def test_a_header_that_is_no_json_is_refused(tmp_path, value):
    with pytest.raises(InputError, match="not plain JSON"):
        save_checkpoint(tmp_path / "a.safetensors", {}, {"kind": "prior", "loss": value})
    assert not list(tmp_path.iterdir())


def test_an_unknown_kind_is_refused(tmp_path):
    with pytest.raises(InputError, match="one of prior, training, picture, adapted, got 'weights'"):
        save_checkpoint(tmp_path / "a.safetensors", {}, {"kind": "weights"})


@pytest.mark.parametrize("value", [1e6, float("nan")])
def test_weights_that_float16_cannot_hold_are_refused(tmp_path, value):
    with pytest.raises(InputError, match="float16 cannot hold, in 'w'"):
        save_checkpoint(
            tmp_path / "a.safetensors", {"v": torch.zeros(2), "w": torch.tensor([value])}, {"kind": "prior"}
        )


# All or nothing


class FullDisk(io.FileIO):
    def write(self, data):
        super().write(data[:100])
        raise OSError(28, "No space left on device")


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    file = write_prior(tmp_path / "a.safetensors")
    before = file.read_bytes()
    monkeypatch.setattr(Path, "open", lambda path, _mode: FullDisk(path, "w"))
    with pytest.raises(CheckpointError, match=r"a\.safetensors: cannot be written \(No space left on device\)"):
        save_checkpoint(file, {"x": drawn(50)}, TRAINING)
    monkeypatch.undo()
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_an_interrupt_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    def interrupted(_descriptor):
        raise KeyboardInterrupt

    file = write_prior(tmp_path / "a.safetensors")
    before = file.read_bytes()
    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(file, {"x": drawn(50)}, TRAINING)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_an_existing_file_is_replaced(tmp_path):
    file = write_prior(tmp_path / "a.safetensors")
    save_checkpoint(str(file), {"x": drawn(5)}, TRAINING)
    assert load_checkpoint(str(file)).header["kind"] == "training"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_is_missing_is_reported(tmp_path):
    with pytest.raises(CheckpointError, match="No such file or directory.*check the free space and the permissions"):
        write_prior(tmp_path / "none" / "a.safetensors")


# What is refused when it is read


def test_a_missing_file_is_reported(tmp_path):
    assert "no such file" in refusal(tmp_path / "a.safetensors")


def test_a_folder_is_refused(tmp_path):
    assert "not a regular file" in refusal(tmp_path)


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n" * 9, bytes(64), b"\xff" * 64, b"\x03" + bytes(7) + b"[1]"])
def test_a_file_of_another_kind_is_refused(tmp_path, data):
    file = tmp_path / "a.safetensors"
    file.write_bytes(data)
    assert "not a safetensors file" in refusal(file) or "not made by innersr" in refusal(file)


def test_nesting_that_would_exhaust_the_stack_is_refused(tmp_path):
    file = tmp_path / "a.safetensors"
    file.write_bytes((200_000).to_bytes(8, "little") + b"[" * 200_000)
    assert "not a safetensors file" in refusal(file)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_weights_of_others_are_refused(tmp_path, metadata):
    assert "not made by innersr (no 'innersr' in its header)" in refusal(foreign(tmp_path / "a.safetensors", metadata))


@pytest.mark.parametrize(
    "header",
    [
        "",
        "{",
        "[]",
        "3",
        "null",
        {},
        {"format": 1},
        {"kind": "prior"},
        {"format": "1", "kind": "prior"},
        {"format": True, "kind": "prior"},
        {"format": 0, "kind": "prior"},
        {"format": 1, "kind": "weights"},
        {"format": 1, "kind": ["prior"]},
        '{"format": 1, "kind": "prior", "loss": NaN}',
        '{"format": 1, "kind": "prior", "loss": -1e999}',
        '{"format": 1, "kind": "prior", "deep": ' + "[" * 20 + "]" * 20 + "}",
        "[" * 100_000,
    ],
    ids=lambda header: str(header)[:60],
)
def test_a_damaged_header_is_refused(tmp_path, header):
    assert "its header is damaged" in refusal(foreign(tmp_path / "a.safetensors", header=header))


def test_a_newer_format_asks_for_an_update(tmp_path):
    file = foreign(tmp_path / "a.safetensors", header={"format": FORMAT + 1, "species": "of tomorrow"})
    assert refusal(file).endswith("made by a newer innersr (format 2, known is 1); update innersr")


def test_the_state_of_a_training_is_no_prior(tmp_path):
    file = tmp_path / "a.state.safetensors"
    save_checkpoint(file, {"x": drawn(3)}, TRAINING)
    assert refusal(file, "prior").endswith("this is the state of a training; give the file without .state")


def test_a_prior_is_no_state_of_a_training(tmp_path):
    file = write_prior(tmp_path / "a.safetensors")
    assert refusal(file, "training").endswith("not its state; give the file with .state")


def test_every_byte_that_is_missing_is_noticed(tmp_path):
    data = write_prior(tmp_path / "a.safetensors").read_bytes()
    for length in range(0, len(data), 7):
        with pytest.raises(CheckpointError):
            parse_checkpoint(data[:length], "a")
    with pytest.raises(CheckpointError, match="^a: is damaged"):
        parse_checkpoint(data + b"\0", "a")


# Outlines


def test_an_outline_has_the_header_and_the_shapes_of_a_file(tmp_path):
    network = networks()[0]
    file = write_prior(tmp_path / "a.safetensors", network)
    outline, loaded = outline_of(file, "prior"), load_checkpoint(file, "prior")
    assert outline.header == loaded.header
    assert {n: (t.shape, t.dtype) for n, t in outline.tensors.items()} == {
        n: (t.shape, t.dtype) for n, t in loaded.tensors.items()
    }
    assert all(tensor.is_meta for tensor in outline.tensors.values())


def test_every_type_of_tensor_has_an_outline(tmp_path):
    types = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]
    tensors = {name: torch.zeros(2, 3, dtype=getattr(torch, name)) for name in types}
    save_checkpoint(tmp_path / "a.safetensors", tensors, TRAINING)
    outlines = outline_of(tmp_path / "a.safetensors").tensors
    assert {name: tensor.dtype for name, tensor in outlines.items()} == {n: t.dtype for n, t in tensors.items()}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"dtype": "F32", "shape": [3], "data_offsets": [0, 16]}, "a tensor of shape [3] has 16 bytes"),
        ({"dtype": "F32", "shape": [1 << 30] * 8, "data_offsets": [0, 12]}, "has 12 bytes"),
        ({"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}, "do not have the bytes of the file"),
        ({"dtype": "F32", "shape": [-3], "data_offsets": [0, 12]}, "Expected `int` >= 0"),
        ({"dtype": "F32", "shape": 3, "data_offsets": [0, 12]}, "Expected `array`, got `int`"),
        ({"dtype": "F8_E4M3", "shape": [12], "data_offsets": [0, 12]}, "Invalid enum value 'F8_E4M3'"),
        ({"dtype": "F32", "shape": [3]}, "missing required field `data_offsets`"),
        (3, "Expected `object`, got `int`"),
    ],
)
def test_an_outline_that_is_not_the_files_is_refused(tmp_path, entry, message):
    head = json.dumps({"__metadata__": {"innersr": json.dumps({"format": 1, "kind": "training"})}, "x": entry}).encode()
    file = tmp_path / "a.safetensors"
    file.write_bytes(len(head).to_bytes(8, "little") + head + bytes(12 if message[:2] != "a " else 16))
    with pytest.raises(CheckpointError, match=re.escape(message)) as caught:
        outline_of(file)
    assert str(caught.value).startswith(f"{file}: is damaged (")


def test_a_file_larger_than_any_of_ours_is_not_read(tmp_path, monkeypatch):
    file = write_prior(tmp_path / "a.safetensors")
    os.truncate(file, 3 << 30)  # sparse
    monkeypatch.setattr(Path, "read_bytes", pytest.fail)
    assert "is larger than 1024 MiB; give a file that innersr made" in refusal(file)


# Networks that do not fit


def test_each_tensor_that_does_not_fit_is_named():
    network = networks()[0]
    tensors = {name: tensor.half() for name, tensor in network.state_dict().items()}
    del tensors["convolutions.0.bias"]
    tensors["extra"] = torch.zeros(1)
    tensors["convolutions.1.bias"] = torch.zeros(9)
    tensors["convolutions.2.bias"] = torch.zeros(12, dtype=torch.int32)
    tensors["convolutions.1.weight"][0, 0, 0, 0] = float("nan")
    assert unbuildable(tensors, header_of(network)) == (
        "prior.st: its tensors do not fit its network: it lacks 'convolutions.0.bias', has unexpected 'extra', "
        "has of wrong shape 'convolutions.1.bias (9,) not (4,)', has of wrong type 'convolutions.2.bias', "
        "has NaN or infinite values in 'convolutions.1.weight'; get the file again, or update innersr"
    )


def test_a_message_stays_short_whatever_the_file_holds():
    tensors = {f"{'x' * 9999}{index}": torch.zeros(1) for index in range(99)}
    text = unbuildable(tensors, header_of(networks()[0]))
    assert "and 79 more" in text and len(text) < 6000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 10**12}, "width of its network is a whole number from 1 to 512, got 1000000000000"),
        ({"depth": 65}, "depth of its network is a whole number from 2 to 64, got 65"),
        ({"depth": 1}, "from 2 to 64, got 1"),
        ({"channels": 0}, "channels of its network is a whole number from 1 to 16, got 0"),
        ({"channels": True}, "got True"),
        ({"width": 4.0}, "got 4.0"),
        ({"width": "4"}, "got '4'"),
        ({"factors": [2, 9]}, "factors of its network is a whole number from 1 to 8, got 9"),
        ({"factors": [2]}, "factors of its network is a pair of numbers, got [2]"),
        ({"factors": 2}, "is a pair of numbers, got 2"),
        ({"bias": 1}, "bias of its network is true or false, got 1"),
        ({"generator": 3}, "its network has no 'generator', only channels, factors, width, depth, bias"),
        ({"__class__": "os.system"}, "its network has no '__class__'"),
    ],
)
def test_arguments_are_checked_before_a_network_is_made(arguments, message):
    assert message in unbuildable({}, changed(**arguments))


def test_a_small_file_builds_no_large_network(monkeypatch):
    beyond, within = changed(width=512, depth=64), changed(width=400, depth=24)
    monkeypatch.setattr(torch, "randn", lambda *_, **__: pytest.fail())  # which initial weights are drawn with
    assert "its network has 146373132 weights, the most are 33554432" in unbuildable({}, beyond)
    assert "it lacks 'convolutions.0.weight'" in unbuildable({}, within)


def test_an_argument_without_default_has_to_be_there():
    assert "its network lacks 'channels'" in unbuildable({}, {"network": {"name": "DetailStack", "arguments": {}}})


@pytest.mark.parametrize("name", ["os.system", "torch.nn.Linear", "PlainStack", "__import__", ["DetailStack"], None, 3])
def test_a_network_that_is_not_in_the_table_is_never_made(name):
    text = unbuildable({}, {"network": {"name": name, "arguments": {"channels": 1}}})
    assert f"its network {name!r} is unknown, known are DetailStack, TailoredStack" in text


@pytest.mark.parametrize("network", [None, [], "DetailStack", {}, {"name": "DetailStack", "arguments": [1]}])
def test_a_header_without_a_network_builds_none(network):
    assert "describes no network" in unbuildable({}, {"network": network})


# Any damage


def outcome(data):
    """Return the network in these bytes, None where they are refused; any other exception fails the test."""
    try:
        return build_network(parse_checkpoint(data, "damaged", "prior"), "damaged")
    except CheckpointError as error:
        assert str(error).startswith("damaged: ") and str(error).isprintable()
        return None


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return write_prior(tmp_path_factory.mktemp("prior") / "a.safetensors").read_bytes()


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_flipped_bits_give_a_network_or_a_checkpoint_error(original, data):
    damaged = bytearray(original)
    end = 8 + int.from_bytes(original[:8], "little")  # most of the file is weights, where flips are dull
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, end - 1))] ^= 1 << data.draw(st.integers(0, 7))
    outcome(bytes(damaged))


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_replaced_header_bytes_give_a_network_or_a_checkpoint_error(original, data):
    end = 8 + int.from_bytes(original[:8], "little")
    start = data.draw(st.integers(0, end - 1))
    new = data.draw(
        st.sampled_from([b"9", b"-1", b"[", b"}", b'"', b"\\u0000", b"1e999", b"null", b"F64", b"\xff\xff"])
    )
    outcome(original[:start] + new + original[start + len(new) :])


def test_flipped_weights_load_as_other_weights_or_are_refused(original):
    network = outcome(original)
    start = 8 + int.from_bytes(original[:8], "little")
    refused = 0
    for position in range(start, len(original), 41):
        damaged = bytearray(original)
        damaged[position] ^= 0x40
        other = outcome(bytes(damaged))
        if other is None:
            refused += 1
            continue
        pairs = zip(network.parameters(), other.parameters(), strict=True)
        assert sum(int((a != b).sum()) for a, b in pairs) == 1
    assert refused < 5


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    st.dictionaries(
        st.sampled_from(["channels", "factors", "width", "depth", "bias", "hidden", "x"]),
        st.none()
        | st.booleans()
        | st.integers(-2, 3)
        | st.floats()
        | st.text(max_size=3)
        | st.lists(st.integers(0, 3)),
    ),
    st.sampled_from(["DetailStack", "TailoredStack", "x"]),
)
def test_any_arguments_give_a_checkpoint_error(arguments, name):
    with pytest.raises(CheckpointError):
        build_network(Checkpoint({}, {"network": {"name": name, "arguments": arguments}}))
