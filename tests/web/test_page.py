"""The page as an API: what a program gets, and what is refused."""

import json
import math
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import pytest
import pyvips
import tifffile
from PIL import Image

from helpers.films import make_video, scenes

gradio_client = pytest.importorskip("gradio_client", reason="the page needs the extra web")

from innersr.images.io import read  # noqa: E402 (after what may skip)


@pytest.fixture
def client(address, tmp_path):
    client = gradio_client.Client(address, verbose=False, download_files=str(tmp_path / "got"))
    yield client
    client.close()


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """A picture of 16 bits, at 300 dpi, of blobs that the page may learn."""
    rows, columns = np.mgrid[:24, :32]
    values = 30000 + 20000 * np.sin(rows / 3) * np.cos(columns / 4)
    path = tmp_path_factory.mktemp("sent") / "my scan.tif"
    image = pyvips.Image.new_from_array(values.astype(np.uint16)).copy(xres=300 / 25.4, yres=300 / 25.4)
    image.write_to_file(str(path), resunit="inch")
    return path


def enlarge(client, path, **options):
    return client.predict(
        picture=gradio_client.handle_file(path), api_name="/enlarge", **({"preset": "draft"} | options)
    )


def test_the_result_has_the_depth_and_resolution_of_the_file(client, scan):
    file, _, slider, view, facts, _, command, python = enlarge(client, scan, scale=2)
    image = read(file)
    assert Path(file).name == "my scan_x2.tif"
    assert image.colour.shape == (1, 1, 48, 64)
    assert image.depth == "uint16"
    assert math.isclose(pyvips.Image.new_from_file(file).xres, 300 / 25.4, rel_tol=1e-3)
    assert command == "innersr upscale 'my scan.tif' --scale 2 --preset draft"
    assert "innersr.upscale('my scan.tif', scale=2, preset='draft')" in python
    assert "consistency" in facts and "64 × 48 pixels" in facts
    assert all(Path(shown).suffix == ".png" for shown in slider)
    assert view.count("<img") == 2


def test_the_result_is_that_of_the_command(client, scan, tmp_path):
    import innersr

    own = innersr.upscale(scan, scale=2, preset="draft", output=tmp_path / "own.tif", run=innersr.Run(device="cpu"))
    assert np.array_equal(read(enlarge(client, scan)[0]).colour.numpy(), read(own).colour.numpy())


def test_what_is_painted_over_is_interpolated_only(client, scan, tmp_path):
    """What is painted comes as the editor of the page sends it: background and layers."""
    layer = np.zeros((24, 32, 4), np.uint8)
    layer[:, :16] = 255, 0, 0, 176
    pyvips.Image.new_from_array(layer).write_to_file(str(tmp_path / "layer.png"))
    drawn = gradio_client.handle_file(tmp_path / "layer.png")
    canvas = {"background": drawn, "layers": [drawn], "composite": drawn}
    given = {"scale": 2, "kernel": "gaussian", "method": "backprojection"}
    plain, sharp = (enlarge(client, scan, **given | more)[0] for more in ({"method": "bicubic"}, {}))
    protected, *_, mask, command, _ = enlarge(client, scan, **given, mask="protect", canvas=canvas)
    restricted = enlarge(client, scan, **given, mask="restrict", canvas=canvas)[0]
    left, right = np.s_[..., :30], np.s_[..., 36:]
    plain, sharp, protected, restricted = (read(path).colour.numpy() for path in (plain, sharp, protected, restricted))
    assert np.array_equal(protected[left], plain[left]) and np.array_equal(protected[right], sharp[right])
    assert np.array_equal(restricted[right], plain[right]) and np.array_equal(restricted[..., :26], sharp[..., :26])
    assert not np.array_equal(plain[left], sharp[left])
    assert "--mask mask.png" in command
    sent = {"mask": "file", "mask_file": gradio_client.handle_file(mask["value"])}
    assert np.array_equal(read(enlarge(client, scan, **given, **sent)[0]).colour.numpy(), protected)
    with pytest.raises(gradio_client.exceptions.AppError, match="nothing is painted"):
        enlarge(client, scan, mask="protect")


def test_stacks_and_animations_stay_what_they_are(client, scan, tmp_path):
    page = tifffile.imread(scan)
    tifffile.imwrite(tmp_path / "stack.tif", np.stack([page, page // 2]), photometric="minisblack")
    first, *more = (Image.fromarray((page // (256 * (k + 1))).astype(np.uint8)) for k in range(2))
    first.save(tmp_path / "film.gif", save_all=True, append_images=more, duration=100)
    method = {"method": "backprojection", "kernel": "bicubic"}
    stack, film = (enlarge(client, tmp_path / name, **method)[0] for name in ("stack.tif", "film.gif"))
    with tifffile.TiffFile(stack) as made:
        assert [each.shape for each in made.pages] == [(48, 64)] * 2
    with Image.open(film) as made:
        assert (made.n_frames, made.size) == (2, (64, 48))
    for name, kind in (("stack.tif", "pages"), ("film.gif", "frames")):
        found = client.predict(picture=gradio_client.handle_file(tmp_path / name), api_name="/examine")[1]
        assert "32 × 24 pixels" in found and f"one of 2 {kind}, all of which are enlarged" in found
        assert "ignored" not in found and "how long it is shown" not in found


@pytest.mark.parametrize("name", ["film.apng", "film.mp4"])
def test_films_are_taken(client, tmp_path, name):
    frames = scenes(3)
    if name.endswith(".mp4"):
        make_video(tmp_path / name, frames)
    else:
        first, *more = map(Image.fromarray, frames)
        first.save(tmp_path / name, format="PNG", save_all=True, append_images=more, duration=100)
    made, _, slider, *_, command, _ = enlarge(client, tmp_path / name, method="bicubic")
    assert Path(made).suffix == {".mp4": ".mp4", ".apng": ".png"}[Path(name).suffix] and len(slider) == 2
    assert command.startswith(f"innersr upscale {name} ")
    found = client.predict(picture=gradio_client.handle_file(tmp_path / name), api_name="/examine")[1]
    assert "one of 3 frames, all of which are enlarged" in found
    table = client.predict([gradio_client.handle_file(tmp_path / name)], api_name="/batch")[2]
    assert Path(made).name in str(table)


def test_what_happened_to_a_picture_is_told_and_drawn(client, scan):
    _, found, *drawings = client.predict(picture=gradio_client.handle_file(scan), api_name="/examine")
    assert "32 × 24 pixels, grey, 16 bits" in found
    assert "advice: " in found and "takes about" in found
    assert all(pyvips.Image.new_from_file(path).width >= 32 for path in drawings)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scale": 8, "size": "9000x"}, "the result would have"),
        ({"size": "big"}, "size"),
        ({"noise": "loud"}, "noise"),
        ({"kernel": "file"}, "there is no kernel file yet"),
    ],
)
def test_wrong_wishes_are_refused_in_words(client, scan, options, words):
    with pytest.raises(gradio_client.exceptions.AppError, match=words) as refused:
        enlarge(client, scan, **options)
    assert "Traceback" not in str(refused.value) and "/uploads/" not in str(refused.value)


def test_a_bomb_is_refused(client, tmp_path):
    pyvips.Image.black(300, 200).write_to_file(str(tmp_path / "large.png"))
    words = "large.png: 300 x 200 pixels are above the limit of 40000"
    with pytest.raises(gradio_client.exceptions.AppError, match=words):
        enlarge(client, tmp_path / "large.png")


def test_what_is_no_picture_is_refused(client, tmp_path):
    (tmp_path / "photo.png").write_text("<script>alert(1)</script>")
    with pytest.raises(gradio_client.exceptions.AppError, match="photo.png: "):
        enlarge(client, tmp_path / "photo.png")
    (tmp_path / "page.html").write_text("<script>alert(1)</script>")
    with pytest.raises(Exception, match="picture must be a file of one of these types, none of which is that of"):
        enlarge(client, tmp_path / "page.html")


def test_too_large_files_are_refused(client, tmp_path):
    (tmp_path / "large.tif").write_bytes(bytes(2**20 + 1000))
    with pytest.raises(Exception, match=r"413|exceeds"):
        enlarge(client, tmp_path / "large.tif")


@pytest.mark.parametrize("path", ["/etc/passwd", "../../../../etc/passwd", "/proc/self/environ"])
def test_files_of_the_machine_are_neither_read_nor_served(address, path):
    body = json.dumps({"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}], "session_hash": "thief"})
    request = urllib.request.Request(
        f"{address}gradio_api/run/examine", body.encode(), {"Content-Type": "application/json"}
    )
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(request, timeout=20)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{address}gradio_api/file={path}", timeout=20)
    assert refused.value.code in (400, 403, 404)


def test_methods_are_compared_in_one_table(client, scan, tmp_path):
    truth = tmp_path / "truth.tif"
    pyvips.Image.new_from_file(str(scan)).resize(2).write_to_file(str(truth))
    files = {"picture": gradio_client.handle_file(scan), "truth": gradio_client.handle_file(truth)}
    table, _, view = client.predict(**files, methods=["bicubic", "tailor"], api_name="/compare")
    assert [row[0] for row in table["data"]] == ["bicubic", "tailor"]
    assert table["headers"] == ["method", "seconds", "consistency", "PSNR-Y", "SSIM-Y"]
    assert all(float(figure.removesuffix(" dB")) > 20 for row in table["data"] for figure in row[2:4])
    assert view.count("<img") == 2
    table, *_ = client.predict(picture=files["picture"], methods=["pixelart"], api_name="/compare")
    assert table["headers"] == ["method", "seconds", "consistency"]  # no empty columns
    assert table["data"][0][2].endswith(" dB")
    files["truth"] = files["picture"]
    with pytest.raises(gradio_client.exceptions.AppError, match="true picture has 32 x 24 pixels, the results 64 x 48"):
        client.predict(**files, methods=["bicubic"], api_name="/compare")


def test_a_batch_is_a_zip_and_one_bad_file_does_not_stop_it(client, scan, tmp_path):
    (tmp_path / "bad.png").write_text("no picture")
    files = [gradio_client.handle_file(path) for path in (scan, tmp_path / "bad.png", scan)]
    packed, line, table = client.predict(pictures=files, preset="draft", api_name="/batch")
    assert "2 of 3 pictures are done" in line
    one, failed, other = [row[1] for row in table["data"]]
    assert one == other == "my scan_x2.tif"
    assert failed == "failed" and table["data"][1][4].startswith("not an image of a known format")
    assert "/uploads" not in str(table["data"])
    with zipfile.ZipFile(packed) as archive:
        assert archive.namelist() == ["my scan_x2.tif", "my scan_x2-2.tif"]
    with pytest.raises(gradio_client.exceptions.AppError, match="6 pictures are more than 3"):
        client.predict(pictures=files * 2, api_name="/batch")


def test_the_pictures_of_the_examples_are_no_visitors_files(address):
    """They were once among the uploads, and went with the first visitor who had tried one."""
    from innersr.web.visitors import bundled_examples

    with urllib.request.urlopen(f"{address}config", timeout=20) as answer:
        parts = json.load(answer)["components"]
    icons = {part["props"]["icon"]["path"] for part in parts if (part["props"].get("icon") or {}).get("path")}
    assert icons == {str(path) for path in bundled_examples().iterdir()}


def test_results_are_gone_once_the_visitor_is(address, scan):
    client = gradio_client.Client(address, verbose=False, download_files=False)

    def get(url):
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        return urllib.request.urlopen(urllib.request.Request(url, headers={"Cookie": cookies}), timeout=20)

    # What a browser holds open as long as the page is.
    presence = get(f"{address}gradio_api/heartbeat/{client.session_hash}")
    where = enlarge(client, scan)[0]["url"]
    assert get(where).status == 200
    presence.close()
    for _ in range(100):
        try:
            get(where)
        except urllib.error.HTTPError as gone:
            if gone.code in (403, 404):
                return
            assert gone.code == 500  # while it is being removed
        time.sleep(0.05)
    pytest.fail("the result is still served")
