"""What programs and browsers send to the page: each value is checked, and what is wrong is said in one sentence."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.exceptions import InvalidPathError
from gradio.state_holder import SessionState

from innersr.errors import on_one_line

LONGEST_TEXT = 1000  # letters; a geometry, a noise, the name of a picture
LARGEST_SEED = 2**63 - 1  # of generators of PyTorch


class CheckedBlocks(gr.Blocks):
    """A page whose errors about values that were sent name the value, the rule and what came."""

    async def preprocess_data(
        self,
        block_fn: BlockFunction,
        inputs: list[Any],
        state: SessionState | None,
        explicit_call: bool = False,
    ) -> list[Any]:
        """Check the values of an event, then let Gradio convert them.

        Raises:
            gr.Error: one of them is wrong; in one sentence.
        """
        parts = list(block_fn.inputs)
        names = _names_of(block_fn)
        if len(inputs) < len(parts):
            raise _refused(f"{block_fn.api_name} takes {len(parts)} values, got {len(inputs)}")
        for name, part, value in zip(names, parts, inputs, strict=False):
            if (problem := problem_of(part, value)) is not None:
                raise _refused(f"{_called(name, part)} {problem}")
        try:
            return await super().preprocess_data(block_fn, inputs, state, explicit_call)
        except gr.Error:
            raise
        except InvalidPathError as error:
            raise _refused("a file is not one that you sent; drop it again, or send it with handle_file") from error
        except Exception as error:
            raise _refused("what was sent as a picture cannot be read as one; send a PNG file") from error


def problem_of(part: Any, value: Any) -> str | None:  # noqa: ANN401 (any component, any JSON)
    """What is wrong with a value for a component, as the rest of a sentence; None where nothing is."""
    if isinstance(part, gr.File):
        return _problem_of_file(part, value)
    is_right, rule = _rule_of(part, value)
    return None if is_right else f"must be {rule}, got {_shown(value)}"


def _rule_of(part: Any, value: Any) -> tuple[bool, str]:  # noqa: ANN401 (any component, any JSON)
    """Whether a value is as the component needs it, and what that is. An empty field is the default of a number."""
    if isinstance(part, gr.Slider):
        return _is_number(value, part.minimum, part.maximum), f"a number from {part.minimum:g} to {part.maximum:g}"
    if isinstance(part, gr.Number):
        least = int(part.minimum or 0)
        is_whole = value is None or (_is_number(value, least, LARGEST_SEED) and value == round(value))
        return is_whole, f"a whole number from {least} to {LARGEST_SEED}"
    if isinstance(part, gr.Checkbox):
        return isinstance(value, bool), "true or false"
    if isinstance(part, gr.ImageEditor):
        return value is None or _is_canvas(value), "a background, layers and a composite, each a file"
    if isinstance(part, gr.Textbox) or (isinstance(part, gr.Dropdown) and part.allow_custom_value):
        is_text = value is None or isinstance(value, str) or _is_number(value, -math.inf, math.inf)
        return is_text and len(str(value)) <= LONGEST_TEXT, f"a text of {LONGEST_TEXT} letters at most"
    choices = [choice for _, choice in getattr(part, "choices", ())]
    if isinstance(part, gr.CheckboxGroup):
        is_right = isinstance(value, list) and all(each in choices for each in value)
        return is_right, f"a list of some of {', '.join(choices)}"
    return not choices or (isinstance(value, str) and value in choices), f"one of {', '.join(choices)}"


def _problem_of_file(part: gr.File, value: Any) -> str | None:  # noqa: ANN401 (any JSON)
    is_list = part.file_count == "multiple"
    files = value if is_list and isinstance(value, list) else [value]
    if value is None:
        return None
    if not all(map(_is_file, files)):
        return f"must be {'a list of files' if is_list else 'a file'} that you sent, got {_shown(value)}"
    names = [str(file.get("orig_name") or file["path"]) for file in files]
    endings = tuple(part.file_types or ())
    if endings and (strange := next((name for name in names if not name.lower().endswith(endings)), None)):
        kind = "" if (name := strange.rpartition("/")[2]) == "" else f" of {name!r}"
        return f"must be a file of one of these types, none of which is that{kind}: {' '.join(endings)}"
    return None


def _is_file(value: Any) -> bool:  # noqa: ANN401 (any JSON)
    return isinstance(value, dict) and isinstance(value.get("path"), str) and bool(value["path"])


def _is_canvas(value: Any) -> bool:  # noqa: ANN401 (any JSON)
    if not isinstance(value, dict) or not isinstance(value.get("layers", []), list):
        return False
    files = [value.get("background"), value.get("composite"), *value.get("layers", [])]
    return all(file is None or _is_file(file) for file in files)


def _is_number(value: Any, least: float, most: float) -> bool:  # noqa: ANN401 (any JSON)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and least <= value <= most


def _names_of(block_fn: BlockFunction) -> Sequence[str]:
    """Names of the values of an event, as its function calls them."""
    if block_fn.fn is None:
        return []
    return [name for name in inspect.signature(block_fn.fn).parameters if name != "request"]


def _called(name: str, part: Any) -> str:  # noqa: ANN401 (any component)
    """A value by the name that programs use, and by what the page calls it."""
    label = getattr(part, "label", None)
    return name if not label or label.casefold() == name else f'{name} ("{label}")'


def _shown(value: Any) -> str:  # noqa: ANN401 (any JSON)
    """A value as it was sent, or its beginning, without folders of this machine."""
    if value is None:
        return "nothing"
    if isinstance(value, dict | list) and "path" in str(value):
        return "a file" if isinstance(value, dict) else "files"
    text = on_one_line(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= 40 else f"{text[:40]}…"  # noqa: PLR2004 (enough to know it again)


def _refused(words: str) -> gr.Error:
    return gr.Error(words, print_exception=False)
