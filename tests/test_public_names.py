"""The package root is the whole public interface, and importing it costs nothing."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import innersr

TREE = ast.parse(Path(innersr.__file__).read_text(encoding="utf-8"))


def names_for_type_checkers():
    """Return {public name: (module, name there)} of the imports below `if TYPE_CHECKING`."""
    (block,) = (node for node in TREE.body if isinstance(node, ast.If))
    return {
        alias.asname or alias.name: (statement.module, alias.name)
        for statement in block.body
        for alias in statement.names
    }


def place(name):
    """Sort as ruff's RUF022 does: constants, then classes, then the rest."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout


def test_the_names_are_sorted_and_given_once():
    assert innersr.__all__ == sorted(set(innersr.__all__), key=place)


def test_type_checkers_see_the_same_names():
    assert sorted(names_for_type_checkers(), key=place) == innersr.__all__


def test_the_table_of_homes_has_the_same_names():
    homes = {name: f"innersr.{module}" for module, names in innersr._HOMES.items() for name in names}
    assert homes == {name: module for name, (module, _) in names_for_type_checkers().items()}


@pytest.mark.parametrize("name", innersr.__all__)
def test_every_name_is_what_its_home_calls_so(name):
    module, name_there = names_for_type_checkers()[name]
    assert getattr(innersr, name) is getattr(import_module(module), name_there)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'innersr' has no attribute 'upscal'"):
        _ = innersr.upscal


def test_the_names_are_offered_for_completion():
    assert set(innersr.__all__) | {"__version__"} == set(dir(innersr))


def test_everything_that_is_raised_on_purpose_is_public():
    errors = import_module("innersr.errors")
    assert {name for name in vars(errors) if name[0].isupper()} <= set(innersr.__all__)


def test_every_method_of_the_table_is_public():
    assert {method.__name__ for method in innersr.METHODS.values()} <= set(innersr.__all__)


def test_importing_the_package_imports_nothing_heavy():
    heavy = "{'torch', 'numpy', 'pyvips', 'PIL', 'rich', 'typer'}"
    assert python(f"import sys, innersr; print({heavy} & set(sys.modules))") == "set()\n"


def test_no_name_is_a_module_too():
    # Importing innersr.upscale, were it a module, would replace the function of that name.
    modules = {file.stem for file in Path(innersr.__file__).parent.iterdir()}
    assert not modules & set(innersr.__all__)
