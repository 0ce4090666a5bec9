"""Other people's networks and programs."""

import sys
from types import SimpleNamespace

import pytest
import torch

from helpers.bench import RUN, plan, rows_of
from innersr.benchmark import peers
from innersr.benchmark.peers import CommandPeer, SpandrelPeer, parse_peer
from innersr.benchmark.runner import cases_of
from innersr.errors import ImageFileError, InputError
from innersr.physics.degradation import Degradation

ENLARGE = "from PIL import Image; import sys; i = Image.open(sys.argv[1]); i.resize((i.width * {n}, i.height * {n}), 0)"


def program(tmp_path, times, after=""):
    """Write a program that repeats every pixel, and return the command line of it."""
    script = tmp_path / "enlarge.py"
    script.write_text(ENLARGE.format(n=times) + ".save(sys.argv[2])" + after)
    return f"'{sys.executable}' {script} {{input}} {{output}}"


def upscaled(peer, lr, scale=2):
    degradation = Degradation(scale=scale)
    return peer.adapt(lr, degradation, RUN)(lr)


def test_a_program_is_a_method(folder, tmp_path):
    command = program(tmp_path, 2)
    name, peer = parse_peer(command)
    assert name.startswith("python") and peer == CommandPeer(command=command)
    lr = (torch.rand(1, 3, 6, 5, generator=torch.Generator().manual_seed(1)) * 255).round() / 255
    assert torch.equal(upscaled(peer, lr), lr.repeat_interleave(2, -1).repeat_interleave(2, -2))
    assert upscaled(peer, lr[:, :1]).shape == (1, 1, 12, 10)
    rows = list(rows_of(plan(folder, peers=(command,), limit=1), RUN))
    assert [row["method"] for row in rows] == ["bicubic", name]
    assert rows[1]["settings"] == {"command": command} and rows[1]["psnr_y"] != rows[0]["psnr_y"]


def test_peers_of_one_program_are_measured_apart(folder, tmp_path, monkeypatch):
    twice, shrunk = program(tmp_path, 2), program(tmp_path, 2) + " more"
    monkeypatch.setattr(peers, "_spandrel", lambda: None)
    networks = [f"spandrel:{tmp_path}/{name}/net.pth" for name in "ab"]
    for network in networks:
        path = tmp_path / network.removeprefix("spandrel:")
        path.parent.mkdir(), path.touch()
    name, _ = parse_peer(twice)
    cases = cases_of(plan(folder, methods=(), peers=(twice, shrunk, twice, *networks), limit=1))
    found = [(case.method_name, case.method) for case in cases]
    assert found == [
        (name, CommandPeer(command=twice)),
        (f"{name} 2", CommandPeer(command=shrunk)),
        ("spandrel:net.pth", SpandrelPeer(file=networks[0].removeprefix("spandrel:"))),
        ("spandrel:net.pth 2", SpandrelPeer(file=networks[1].removeprefix("spandrel:"))),
    ]


def test_a_peer_with_the_name_of_a_method_replaces_none(folder, monkeypatch):
    monkeypatch.setattr(peers.shutil, "which", lambda _: "/bin/tailor")
    cases = cases_of(plan(folder, methods=("tailor",), peers=("tailor {input} {output}",), limit=1))
    assert [case.method_name for case in cases] == ["tailor", "tailor 2"]


def test_what_a_program_enlarges_too_far_is_shrunk(tmp_path):
    lr = torch.full((1, 3, 6, 5), 0.4)
    assert torch.allclose(upscaled(CommandPeer(command=program(tmp_path, 4)), lr), torch.full((1, 3, 12, 10), 0.4))
    with pytest.raises(InputError, match="made 5x6 pixels where 10x12 were due; ask for a smaller scale"):
        upscaled(CommandPeer(command=program(tmp_path, 1)), lr)


def test_the_scale_is_passed_to_a_program_whose_command_names_it(tmp_path):
    script = tmp_path / "scaled.py"
    script.write_text(ENLARGE.format(n="int(sys.argv[3])") + ".save(sys.argv[2])")
    peer = CommandPeer(command=f"'{sys.executable}' {script} {{input}} {{output}} {{scale}}")
    assert upscaled(peer, torch.rand(1, 3, 6, 5), 3).shape == (1, 3, 18, 15)


def test_a_program_that_fails_is_an_error_of_its_row(folder, tmp_path):
    failing = program(tmp_path, 2, "; sys.exit('no graphics card')")
    with pytest.raises(ImageFileError, match=r"set2/a\.png: python.* x2: .*failed with code 1: no graphics card"):
        list(rows_of(plan(folder, methods=(), peers=(failing,)), RUN))
    silent = f"'{sys.executable}' -c pass {{input}} {{output}}"
    with pytest.raises(InputError, match="it succeeded, but wrote no {output}"):
        upscaled(CommandPeer(command=silent), torch.rand(1, 3, 6, 5))


def test_a_network_of_spandrel_is_a_method(tmp_path, monkeypatch):
    class Network(torch.nn.Module):
        def forward(self, x):
            return x.repeat_interleave(2, -1).repeat_interleave(2, -2) + 0.1

    loader = SimpleNamespace(load_from_file=lambda file: {str(tmp_path / "net.pth"): Network()}[file])
    monkeypatch.setitem(sys.modules, "spandrel", SimpleNamespace(ModelLoader=lambda: loader))
    peers._loaded.cache_clear()
    (tmp_path / "net.pth").touch()
    name, peer = parse_peer(f"spandrel:{tmp_path}/net.pth")
    assert name == "spandrel:net.pth" and peer == SpandrelPeer(file=str(tmp_path / "net.pth"))
    assert torch.allclose(upscaled(peer, torch.full((1, 1, 4, 4), 0.5)), torch.full((1, 1, 8, 8), 0.6))


def test_a_network_of_one_device_is_not_moved_by_work_on_another(monkeypatch):
    made = []

    def load(_):
        made.append(torch.nn.Sequential(torch.nn.Conv2d(3, 3, 1), torch.nn.Upsample(scale_factor=2)))
        return made[-1]

    loader = SimpleNamespace(load_from_file=load)
    monkeypatch.setitem(sys.modules, "spandrel", SimpleNamespace(ModelLoader=lambda: loader))
    peer = SpandrelPeer(file="here and there.pth")
    for device in ("cpu", "meta", "cpu"):
        x = torch.zeros(1, 3, 4, 4, device=device)
        assert peer.adapt(x, Degradation(scale=2), RUN)(x).device.type == device
    assert [network[0].weight.device.type for network in made] == ["cpu", "meta"]


def test_grey_images_get_the_mean_of_the_colours_that_a_network_makes(monkeypatch):
    shifts = torch.tensor([0.0, 0.1, 0.3])[:, None, None]
    monkeypatch.setattr(peers, "_loaded", lambda *_: torch.nn.Upsample(scale_factor=2))
    plain = upscaled(SpandrelPeer(file="net.pth"), torch.full((1, 1, 4, 4), 0.5))
    network = torch.nn.Sequential(torch.nn.Upsample(scale_factor=2), torch.nn.Conv2d(3, 3, 1))
    network[1].weight.data, network[1].bias.data = torch.eye(3)[..., None, None], shifts.flatten()
    monkeypatch.setattr(peers, "_loaded", lambda *_: network)
    shifted = upscaled(SpandrelPeer(file="net.pth"), torch.full((1, 1, 4, 4), 0.5))
    assert torch.allclose(shifted, plain + 0.4 / 3, atol=1e-6)


def test_shrinking_what_is_too_large_leaves_the_range_by_nothing(monkeypatch):
    """Antialiasing overshoots at edges."""
    monkeypatch.setattr(peers, "_loaded", lambda *_: torch.nn.Upsample(scale_factor=4))
    board = torch.zeros(1, 3, 8, 8)
    board[..., 4:] = 1
    result = upscaled(SpandrelPeer(file="net.pth"), board)
    assert (float(result.min()), float(result.max())) == (0, 1)


def test_weights_of_an_unknown_network_are_an_error(tmp_path, monkeypatch):
    def refuse(_file):
        raise LookupError("no such network")

    loader = SimpleNamespace(load_from_file=refuse)
    library = SimpleNamespace(ModelLoader=lambda: loader, UnsupportedModelError=LookupError)
    monkeypatch.setitem(sys.modules, "spandrel", library)
    with pytest.raises(InputError, match="spandrel cannot load it .no such network.; give the weights"):
        upscaled(SpandrelPeer(file=str(tmp_path / "odd.pth")), torch.rand(1, 3, 4, 4))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("realesrgan {input}", "with {input} and {output}, got 'realesrgan {input}'"),
        ("no-such-program {input} {output}", "no-such-program: no such program"),
        ("'open {input} {output}", "not a command line"),
        ("spandrel:none.pth", "none.pth: no such file"),
    ],
)
def test_an_invalid_peer_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        parse_peer(text)


def test_without_spandrel_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "spandrel", None)
    (tmp_path / "net.pth").touch()
    with pytest.raises(InputError, match="pip install spandrel"):
        parse_peer(f"spandrel:{tmp_path}/net.pth")
