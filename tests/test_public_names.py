"""The package root is the whole public interface, and importing it costs nothing."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import innersr

TREE = ast.parse(Path(innersr.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))


def names_for_type_checkers():
    """{public name: (module, name there)} of the imports in the stub."""
    return {
        alias.name: (f"innersr.{statement.module}", alias.name)
        for statement in TREE.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }


def names_of_the_stub():
    (names,) = (ast.literal_eval(node.value) for node in TREE.body if isinstance(node, ast.Assign))
    return names


def place(name):
    """Sort as ruff's RUF022 does: constants, then classes, then the rest."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout


def test_the_names_are_sorted_and_given_once():
    assert names_of_the_stub() == sorted(set(names_of_the_stub()), key=place)


def test_type_checkers_see_the_same_names():
    assert len(innersr.__all__) == 54
    assert sorted(names_for_type_checkers(), key=place) == names_of_the_stub() == sorted(innersr.__all__, key=place)


@pytest.mark.parametrize("name", innersr.__all__)
def test_every_name_is_what_its_home_calls_so(name):
    module, name_there = names_for_type_checkers()[name]
    assert getattr(innersr, name) is getattr(import_module(module), name_there)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="No innersr attribute upscal"):
        _ = innersr.upscal


def test_the_names_are_offered_for_completion():
    assert set(innersr.__all__) <= set(dir(innersr))


def test_everything_that_is_raised_on_purpose_is_public():
    errors = import_module("innersr.errors")
    assert {name for name in vars(errors) if name[0].isupper()} <= set(innersr.__all__)


def test_every_method_of_the_table_is_public():
    assert {method.__name__ for method in innersr.METHODS.values()} <= set(innersr.__all__)


def test_importing_the_package_imports_nothing_heavy():
    heavy = "{'torch', 'numpy', 'pyvips', 'PIL', 'rich', 'typer'}"
    assert python(f"import sys, innersr; print({heavy} & set(sys.modules))") == "set()\n"


def test_upscaling_by_the_default_imports_no_other_method():
    code = "import sys; from innersr.commands import upscale; from innersr import METHODS; METHODS['tailor']; "
    others = "{'innersr.methods.' + name for name in ('zssr', 'mzsr', 'singan', 'supervised')} | {'innersr.singan'}"
    assert python(f"{code}print(({others}) & set(sys.modules))") == "set()\n"


def test_learning_imports_no_compiler():
    code = (
        "import sys, numpy, innersr; "
        "image = numpy.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=numpy.uint8); "
        "methods = innersr.Tailor(steps=1), innersr.ZSSR(steps=1), innersr.MZSR(steps=1); "
        "[innersr.upscale(image, method=method, kernel='bicubic') for method in methods]; "
    )
    assert python(f"{code}print({{'torch._dynamo', 'sympy', 'scipy'}} & set(sys.modules))") == "set()\n"


def test_no_name_is_a_module_too():
    # Importing innersr.upscale, were it a module, would replace the function of that name.
    modules = {file.stem for file in Path(innersr.__file__).parent.iterdir()}
    assert not modules & set(innersr.__all__)
