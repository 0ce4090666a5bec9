"""Settings of Sphinx for the documentation site: `make site`."""

from __future__ import annotations

import re
from typing import Any

from innersr.version import __version__

project = "innersr"
author = "the authors of innersr"
release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_gallery.gen_gallery"]
exclude_patterns = ["tutorial.ipynb", "gallery"]
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "gallery_made",
    "download_all_examples": False,
    "abort_on_example_error": True,
}
suppress_warnings = ["toc.not_readable"]  # of pages that a branch lacks; a test finds pages that no toctree has
html_theme = "furo"
html_show_copyright = False
html_title = f"innersr {release}"
html_extra_path = ["tutorial.ipynb"]
myst_heading_anchors = 4
autodoc_member_order = "groupwise"
autodoc_typehints = "none"  # the signatures have them
autodoc_class_signature = "mixed"
autodoc_default_options = {"members": True, "exclude-members": "__init__,__new__"}
napoleon_google_docstring = True
napoleon_numpy_docstring = False


def _escape(_app: Any, what: str, _name: str, _thing: Any, _options: Any, lines: list[str]) -> None:  # noqa: ANN401
    """Docstrings are plain text: what reStructuredText would take for markup is shown as it stands."""
    if what == "module":
        lines.clear()  # the page says the same
    for number, line in enumerate(lines):
        marked = re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", line)
        parts = re.split(r"(``.*?``)", marked)
        lines[number] = "".join(
            part if part.startswith("``") else re.sub(r"([*|\\])|(?<=\w)_(?!\w)", r"\\\g<0>", part) for part in parts
        )


def setup(app: Any) -> None:  # noqa: ANN401 (Sphinx's application)
    """Have docstrings escaped before napoleon reads their sections."""
    app.connect("autodoc-process-docstring", _escape, priority=0)
