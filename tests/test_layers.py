"""The layer table of docs/architecture.md: imports point down, or left within a row."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "innersr"

# Lowest row first. A module may import what stands in a lower row or to its left. That order is total, so
# whatever keeps to it has no import cycle.
LAYERS = {
    "ground": ["errors", "memory", "run"],
    "pixels": ["resize", "image_tags", "image_metadata", "image_formats", "image_codecs", "image", "palette"],
    "physics": [
        "kernels",
        "kernel_files",
        "kernel_comparison",
        "augment",
        "blur",
        "masks",
        "degradation",
        "inverse",
        "metrics",
        "compression",
        "recurrence",
        "natural_scenes",
        "inception",
    ],
    "learning": [
        "networks",
        "tailored",
        "predictor",
        "training",
        "optimizers",
        "packing",
        "checkpoint",
        "priors",
        "blind",
        "refine",
        "detail",
        "conditioned",
    ],
    "methods": [
        "methods.protocols",
        "methods.baselines",
        "methods.zssr",
        "methods.bands",
        "methods.supervised",
        "methods.adaptation",
        "methods.fathers",
        "methods.mzsr",
        "methods.tailor",
        "methods.kernelgan_networks",
        "methods.kernelgan_constraints",
        "methods.kernelgan",
        "methods.singan.settings",
        "methods.singan.pyramid",
        "methods.singan.networks",
        "methods.singan.slopes",
        "methods.singan.directions",
        "methods.singan.matching",
        "methods.singan.model",
        "methods.singan.statistics",
        "methods.singan.scores",
        "methods.singan.below",
        "methods.singan.losses",
        "methods.singan.learning",
        "methods.singan.pictures",
        "methods.singan.records",
        "methods.singan.journal",
        "methods.singan.files",
        "methods.singan.crops",
        "methods.singan.fitting",
        "methods.singan.upscaling",
        "methods.singan.animation",
        "methods.singan.quantize",
        "methods.singan.retraining",
        "methods.singan.manipulation",
        "methods.singan",
        "methods",
    ],
    "journey": [
        "specs",
        "arrays",
        "movies",
        "pipeline",
        "dataset",
        "picture_models",
        "sheets",
        "compare",
        "recurrence_sheet",
        "kernel_sheets",
        "singan_report",
    ],
    "work": [
        "benchmark_images",
        "benchmark",
        "pretraining.tasks",
        "pretraining.crops",
        "pretraining.journal",
        "pretraining.ranks",
        "pretraining.lessons",
        "pretraining.learner",
        "pretraining.session",
        "pretraining.validation",
        "pretraining.supervised",
        "pretraining.mzsr",
        "pretraining.tailor",
        "pretraining.predictor",
        "pretraining",
    ],
    "faces": [
        "interrupts",
        "voice",
        "commands",
        "kernel_commands",
        "inspect_commands",
        "train_commands",
        "cli_shared",
        "kernel_cli",
        "inspect_cli",
        "prior_cli",
        "train_cli",
        "singan_outputs",
        "singan_commands",
        "singan_train_commands",
        "singan_refine_commands",
        "singan_options",
        "singan_refine_cli",
        "singan_cli",
        "cli",
        "__main__",
        "innersr",
    ],  # "innersr" is __init__.py
}
ORDER = [module for row in LAYERS.values() for module in row]

# torch takes more than a second to import, and `innersr --help` has to answer before that.
IMPORTS_INSIDE_FUNCTIONS = {
    "cli",
    "cli_shared",
    "kernel_cli",
    "inspect_cli",
    "prior_cli",
    "train_cli",
    "singan_options",
    "singan_refine_cli",
    "singan_cli",
}


def files_by_module():
    """Return every source file by its name in the table."""
    names = {}
    for file in sorted(SOURCE.rglob("*.py")):
        parts = file.relative_to(SOURCE).with_suffix("").parts
        names[".".join(part for part in parts if part != "__init__") or "innersr"] = file
    return names


FILES = files_by_module()


def imports_of(tree):
    """Return (module of this package, line) of every import below this node, inside functions too."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            # What is imported from a package is a module of it, or a name that the package itself has.
            targets = [
                inner if inner.removeprefix("innersr.") in ORDER else node.module
                for inner in (f"{node.module}.{alias.name}" for alias in node.names)
            ]
        else:
            continue
        found += [
            (target.removeprefix("innersr."), node.lineno) for target in targets if target.split(".")[0] == "innersr"
        ]
    return found


@pytest.fixture(params=sorted(FILES))
def module(request):
    return request.param


@pytest.fixture
def tree(module):
    return ast.parse(FILES[module].read_text(encoding="utf-8"))


def test_the_table_lists_every_module_once():
    assert len(ORDER) == len(set(ORDER))
    assert set(FILES) == set(ORDER)


def test_the_documentation_has_the_same_table():
    rows = [f"| {layer} | {', '.join(f'`{m}`' for m in modules)} |" for layer, modules in reversed(LAYERS.items())]
    text = (SOURCE.parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert "\n".join(["| layer | modules |", "|---|---|", *rows, ""]) in text


def test_imports_point_down_or_left(module, tree):
    assert module in ORDER, f"{module} is not in LAYERS; give it a place"
    allowed = ORDER[: ORDER.index(module)]
    wrong = [f"line {line}: {target}" for target, line in imports_of(tree) if target not in allowed]
    assert not wrong, f"{module} has {wrong}, may import only {', '.join(allowed) or 'from outside'}"


def test_imports_are_absolute_and_name_what_they_take(tree):
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [node.lineno for node in froms if node.level > 0], "write the module's full name"
    assert not [node.lineno for node in froms if node.names[0].name == "*"], "name what is imported"


def test_imports_stand_at_the_top(module, tree):
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    inside = [found for function in functions for found in imports_of(function)]
    assert not inside or module in IMPORTS_INSIDE_FUNCTIONS


def test_a_file_begins_with_its_purpose_in_one_line(tree):
    first, *rest = (ast.get_docstring(tree) or "").split("\n")
    assert first.endswith(".")
    assert not rest or rest[0] == ""


def test_upward_imports_are_found_wherever_they_hide():
    code = """import innersr.cli
def f():
    from innersr import image, read
    from innersr.methods import zssr, METHODS
"""
    expected = [("cli", 1), ("image", 3), ("innersr", 3), ("methods.zssr", 4), ("methods", 4)]
    assert imports_of(ast.parse(code)) == expected
