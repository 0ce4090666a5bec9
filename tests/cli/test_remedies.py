"""What messages advise exists: every option and argument that the source names in a text."""

import ast
import inspect
import re
from pathlib import Path

import pytest
import typer

import innersr
from innersr.cli.app import app
from innersr.images.io import check_writable
from innersr.integrations.hugging_face import pull_prior

SOURCE = Path(innersr.__file__).parent
COMMANDS = {}  # "singan train": its options
IMAGE_WRITERS = "upscale inspect kernel,show kernel,estimate singan,sample singan,animate singan,report singan,train"
REACHED_BY = {  # the commands that show the texts of a file or folder; the longest path counts
    "benchmark": "bench",
    "batch": "upscale",
    "blind": "upscale",
    "commands/bench.py": "bench",
    "commands/kernel.py": "kernel,estimate",
    "commands/singan": "singan,train singan,sample",
    "commands/singan/generate.py": "singan,sample",
    "commands/singan/manipulate.py": "singan,paint singan,edit singan,harmonize",
    "commands/singan/score.py": "singan,score",
    "commands/singan/shared.py": "singan,sample",
    "commands/singan/train.py": "singan,train",
    "commands/train.py": "train,tailor train,mzsr train,supervised train,predictor train,mixture",
    "commands/batch": "upscale",
    "commands/upscale.py": "upscale",
    "commands/upscale_file.py": "upscale",
    "images": IMAGE_WRITERS,
    "images/values/depths.py": "upscale",
    "images/films": "upscale",
    "images/selections.py": "upscale",
    "images/tiff": "upscale",
    "images/formats.py": "upscale",  # where has_options is true, which FileTask alone says
    "commands/export.py": "export",
    "export": "export",
    "errors.py": f"{IMAGE_WRITERS} export prior,pull",
    "integrations/hugging_face.py": "prior,pull",
    "inference": "upscale",
    "methods": "upscale",
    "metrics/feature_distance.py": "singan,score",
    "physics": "upscale",
    "pipeline": "upscale",
    "singan": "singan,train",
    "training": "train,tailor train,mzsr train,supervised train,predictor train,mixture",
    "commands/web.py": "web",
    "web": "web",
}
TAKERS = {  # the functions that show the texts of a file
    "commands/upscale_file.py": (innersr.upscale,),
    "errors.py": (innersr.save, innersr.upscale, innersr.export_onnx, pull_prior),
    "export/onnx_files.py": (innersr.export_onnx,),
    "images/formats.py": (innersr.upscale,),
    "images/limits.py": (innersr.read, innersr.upscale),
    "images/io.py": (innersr.save, innersr.upscale),
    "images/tiff": (innersr.upscale,),
    "pipeline": (innersr.upscale,),
    "integrations/hugging_face.py": (pull_prior,),
    "physics/kernel_files.py": (innersr.save_kernel,),
}


def _gather(command, words=()):
    for name, each in getattr(command, "commands", {}).items():
        _gather(each, (*words, name))
    COMMANDS[" ".join(words)] = {option for each in command.params for option in each.opts + each.secondary_opts}


_gather(typer.main.get_command(app))


def texts():
    """Every text of the source but docstrings, as (file, line, text); values in f-strings are left out."""
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        if name.startswith("cli/"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                text = "".join(part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts | docstrings:
                text = node.value
            else:
                continue
            yield name, node.lineno, text


def reached(name):
    place = max((place for place in REACHED_BY if name == place or name.startswith(f"{place}/")), key=len, default=None)
    assert place is not None, f"{name} names options; say which commands show its texts"
    return [words.replace(",", " ") for words in REACHED_BY[place].split()]


def advised():
    for name, line, text in texts():
        own = re.search(r"innersr ((?:[a-z]+ ?)+)", text)
        for match in re.finditer(r"(?<![\w-])(--[a-z][a-z-]+)", text):
            if "pip install" in text:
                continue
            is_named = own is not None and own[1].strip() in COMMANDS and own.start() < match.start()
            yield pytest.param(
                [own[1].strip()] if is_named else reached(name), match[1], id=f"{name}:{line} {match[1]}"
            )


@pytest.mark.parametrize(("commands", "option"), advised())
def test_an_option_that_a_message_names_exists(commands, option):
    assert [command for command in commands if option not in COMMANDS[command]] == []


def test_messages_name_options_at_all():
    assert len(list(advised())) > 30


@pytest.mark.parametrize(
    ("name", "argument"),
    [(name, match[1]) for name, _, text in texts() for match in re.finditer(r"in Python ([a-z_]+)\b", text)],
)
def test_an_argument_that_a_message_names_exists(name, argument):
    takers = TAKERS[max((place for place in TAKERS if name.startswith(place)), key=len)]
    assert [taker.__name__ for taker in takers if argument not in inspect.signature(taker).parameters] == []


def test_messages_name_options_of_the_command_before_arguments_in_python():
    python_first = r"\b[a-z_]+=\S+ \((innersr|--)|(pass|raise) [a-z]+(_[a-z]+)*(=\S+)? \(|\b(pass|with) [a-z_]+="
    assert [(name, line) for name, line, text in texts() if re.search(python_first, text)] == []


@pytest.mark.parametrize(("has_options", "is_named"), [(True, True), (False, False)])
@pytest.mark.parametrize(
    ("depth", "has_alpha", "option"), [("uint16", False, "--depth 8"), ("uint8", True, "--alpha drop")]
)
def test_options_are_named_to_those_who_have_them(tmp_path, depth, has_alpha, option, has_options, is_named):
    with pytest.raises(innersr.ImageFileError) as caught:
        check_writable(
            tmp_path / "a.jpg", depth=depth, bands=3, has_alpha=has_alpha, overwrite=False, has_options=has_options
        )
    assert (option in str(caught.value)) == is_named
