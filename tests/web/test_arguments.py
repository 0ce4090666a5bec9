"""Every wrong value of every parameter of the API is refused in one sentence that names it."""

import json
import re
import urllib.request

import pytest
import pyvips

gradio_client = pytest.importorskip("gradio_client", reason="the page needs the extra web")

NEVER = [{"x": 1}, [[1]], True]
WRONG = {
    "Slider": [*NEVER, None, "loud", -1000, 1e9, float("nan"), float("inf")],
    "Number": [*NEVER, "loud", -1, 1.5, 1e30, float("nan")],
    "Radio": [*NEVER, None, "loud", 3],
    "Dropdown": [*NEVER, None, "loud", []],
    "Textbox": [*NEVER, "9" * 1001],
    "Checkbox": [None, "loud", 1, {"x": 1}],
    "Checkboxgroup": [*NEVER, None, "loud", ["loud"]],
    "File": [*NEVER, "loud", 3, {"path": 3}, {"path": "", "meta": {"_type": "gradio.FileData"}}],
    "Imageeditor": [[[1]], True, "loud", 3, {"layers": "loud"}, {"background": "loud"}, {"layers": [None, 3]}],
}
WRONG_NAMES = [value for value in WRONG["Dropdown"] if value not in (None, "loud")]  # of a trained picture


def ask(address, name, values):
    """The error that an endpoint answers with, None if it answers."""
    body = json.dumps({"data": values}).encode()
    request = urllib.request.Request(f"{address}gradio_api/call{name}", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{address}gradio_api/call{name}/{event}", timeout=60) as answer:
        lines = answer.read().decode()
    found = re.search(r"event: error\ndata: (.*)", lines)
    return None if found is None else json.loads(found[1])


@pytest.fixture(scope="module")
def endpoints(address):
    client = gradio_client.Client(address, verbose=False)
    yield client.view_api(return_format="dict")["named_endpoints"]
    client.close()


def words_of(error):
    return error.get("error") if isinstance(error, dict) else error


def test_every_wrong_value_is_refused_by_name(address, endpoints):
    missed = []
    for name, endpoint in endpoints.items():
        parts = endpoint["parameters"]
        for place, part in enumerate(parts):
            called = part["parameter_name"]
            for value in WRONG_NAMES if called == "model" else WRONG[part["component"]]:
                values = [each["parameter_default"] for each in parts]
                values[place] = value
                words = str(words_of(ask(address, name, values)))
                if not words.startswith(called) or "must be " not in words or "\n" in words or "/tmp" in words:
                    missed.append((name, called, value, words))
    assert missed == []


def test_missing_and_strange_files_are_refused_in_one_sentence(address, endpoints, tmp_path):
    secret = tmp_path / "secret.png"
    pyvips.Image.black(8, 8).write_to_file(str(secret))

    def sent(path):
        return {"path": str(path), "meta": {"_type": "gradio.FileData"}}

    for name, endpoint in endpoints.items():
        parts = endpoint["parameters"]
        for place, part in enumerate(parts):
            if part["component"] not in ("File", "Imageeditor"):
                continue
            for path in (secret, tmp_path / "none.png"):
                values = [each["parameter_default"] for each in parts]
                file = sent(path)
                if part["component"] == "Imageeditor":
                    file = {"background": file, "layers": [file], "composite": file}
                values[place] = [file] if part["parameter_name"] == "pictures" else file
                assert "is not one that you sent" in words_of(ask(address, name, values)), (name, part, path)


@pytest.mark.parametrize(
    "name", ["enlarge", "compare", "batch", "sample", "train", "resume", "paint", "edit", "animate"]
)
def test_what_is_left_out_is_asked_for(address, endpoints, name):
    defaults = [part["parameter_default"] for part in endpoints[f"/{name}"]["parameters"]]
    words = words_of(ask(address, f"/{name}", defaults))
    assert re.match(r"there is no picture yet|no trained picture is chosen", words)


def test_too_few_values_are_counted(address):
    assert "batch takes 4 values, got 1" in words_of(ask(address, "/batch", [None]))


def test_errors_of_the_library_are_no_html(address, tmp_path):
    """They were once written as HTML, with &#x27; for quotes."""
    pyvips.Image.black(24, 24).write_to_file(str(tmp_path / "black.png"))
    client = gradio_client.Client(address, verbose=False)
    with pytest.raises(gradio_client.exceptions.AppError, match="got 'loud<b>'"):
        client.predict(picture=gradio_client.handle_file(tmp_path / "black.png"), noise="loud<b>", api_name="/enlarge")
    client.close()
