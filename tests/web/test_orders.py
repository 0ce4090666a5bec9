"""What the controls of the page ask for, as options, as a command line and as Python."""

import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from innersr.cli.app import app
from innersr.errors import InputError
from innersr.web.orders import METHODS, order_of

DEFAULTS = {
    "scale": 2,
    "size": "",
    "method": "tailor",
    "preset": "balanced",
    "kernel": "auto",
    "gaussian": (1.2, 1.2, 0),
    "kernel_file": None,
    "noise": "",
    "deblur": 0.5,
    "keep_grain": False,
    "seed": 0,
}
CHOSEN = {"scale": 2.5, "preset": "best", "kernel": "gaussian", "gaussian": (2, 1, -30), "noise": "5", "seed": 7}


def order(**changes):
    return order_of(**(DEFAULTS | changes))


def test_defaults_are_not_spelled_out():
    assert order().command("photo.png") == "innersr upscale photo.png --scale 2"
    assert order().python("photo.png") == "import innersr\n\ninnersr.upscale('photo.png', scale=2)"


def test_choices_are_options_of_the_command_line():
    words = order(**CHOSEN, keep_grain=True).command("a photo.png")
    assert words == (
        "innersr upscale 'a photo.png' --scale 2.5 --preset best --kernel gaussian:4,1,-30deg --noise 5 --keep-grain "
        "--seed 7"
    )
    _, name, *arguments = shlex.split(words)
    assert get_command(app).commands[name].make_context(name, arguments).params["seed"] == 7


def test_choices_are_options_of_the_function():
    code = order(**CHOSEN).python("photo.png")
    assert "scale=2.5, preset='best', kernel='gaussian:4,1,-30deg', noise='5', run=innersr.Run(seed=7))" in code


def test_a_size_replaces_the_scale():
    assert order(scale=4, size=" 1920x ").options == {"size": "1920x"}


def test_methods_without_presets_get_none():
    assert order(method="bicubic", preset="best").options == {"scale": 2, "method": "bicubic"}


@pytest.mark.parametrize("preset", ["draft", "balanced", "best"])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_takes_every_quality(method, preset):
    assert order(method=method, preset=preset).upscaling(10**6).chosen_method is not None


def test_an_uploaded_kernel_has_its_own_name_in_the_command():
    asked = order(kernel="file", kernel_file=Path("/tmp/abc/blur.npy"))
    assert asked.options["kernel"] == "/tmp/abc/blur.npy"
    assert "--kernel blur.npy" in asked.command("photo.png")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kernel": "file"}, "no kernel file yet"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"scale": "2; rm"}, "scale must be a number"),
        ({"deblur": None}, "deblur must be a number"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, words):
    with pytest.raises(InputError, match=words):
        order(**changes)


def test_a_file_name_is_no_command():
    assert shlex.split(order().command("$(rm -r).png"))[2] == "$(rm -r).png"
