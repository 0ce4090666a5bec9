"""One picture, by the API of the page: samples at once, then training, painting, editing and animation."""

import re
import time

import numpy as np
import pytest
import pyvips

gradio_client = pytest.importorskip("gradio_client", reason="the page needs the extra web")


@pytest.fixture(scope="module")
def client(address, tmp_path_factory):
    client = gradio_client.Client(address, verbose=False, download_files=str(tmp_path_factory.mktemp("got")))
    yield client
    client.close()


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    values = np.random.default_rng(1).integers(0, 255, (40, 48, 3), np.uint8)
    path = tmp_path_factory.mktemp("sent") / "pebbles.png"
    pyvips.Image.new_from_array(values).gaussblur(1.5).write_to_file(str(path))
    return path


@pytest.fixture(scope="module")
def model(client, photo):
    options = {"longest": 40, "iterations": 2, "preset": "draft"}
    update, line, previews = client.predict(picture=gradio_client.handle_file(photo), api_name="/train", **options)
    assert "pebbles is learned" in line
    captions = [preview["caption"] for preview in previews]
    assert captions[:2] == ["sample 0", "reconstruction 0"]
    assert update["value"] == "pebbles"
    return "pebbles"


def sizes(gallery):
    images = [pyvips.Image.new_from_file(each["image"]) for each in gallery]
    return {(image.width, image.height) for image in images}


def canvas(path, marked):
    """What the editor sends: the picture, and a layer that is painted on in a box (left, top, right, bottom)."""
    background = pyvips.Image.new_from_file(str(path)).numpy()[..., :3]
    left, top, right, bottom = marked
    layer = np.zeros((*background.shape[:2], 4), np.uint8)
    layer[top:bottom, left:right] = (200, 30, 30, 255)
    painted = np.dstack([background, np.full(background.shape[:2], 255, np.uint8)])
    painted[layer[..., 3] > 0] = layer[layer[..., 3] > 0]
    files = {}
    for name, values in (("layer", layer), ("composite", painted)):
        file = path.with_name(f"{name}.png")
        pyvips.Image.new_from_array(values).copy(interpretation="srgb").write_to_file(str(file))
        files[name] = gradio_client.handle_file(file)
    return {"background": gradio_client.handle_file(path), "layers": [files["layer"]], "composite": files["composite"]}


def test_samples_need_no_training(client, photo):
    picture = gradio_client.handle_file(photo)
    gallery, line = client.predict(picture=picture, count=2, longest=48, width=1.5, api_name="/sample")
    assert "2 samples are made" in line
    assert sizes(gallery) == {(72, 40)}


def test_one_sample_of_every_start_scale(client, photo):
    gallery, _ = client.predict(picture=gradio_client.handle_file(photo), every=True, longest=48, api_name="/sample")
    assert [each["caption"] for each in gallery] == [f"from scale {k}" for k in range(len(gallery))]
    assert len(gallery) > 1


def test_too_large_samples_are_refused(client, tmp_path):
    pyvips.Image.gaussnoise(120, 100).write_to_file(str(tmp_path / "noise.tif"))
    options = {"picture": gradio_client.handle_file(tmp_path / "noise.tif"), "width": 3.0, "height": 3.0}
    with pytest.raises(gradio_client.exceptions.AppError, match="samples of 360 x 300 pixels are too large"):
        client.predict(**options, api_name="/sample")


def test_a_trained_picture_makes_samples(client, model):
    gallery, _ = client.predict(model=model, engine="network", count=1, api_name="/sample")
    assert sizes(gallery) == {(40, 34)}


def test_a_painting_enters_at_every_scale(client, model, photo):
    gallery, _ = client.predict(model=model, canvas=canvas(photo, (10, 10, 20, 20)), api_name="/paint")
    captions = [each["caption"] for each in gallery]
    assert captions[:2] == ["input", "scale 1"]
    assert sizes(gallery) == {(40, 34)}


@pytest.mark.parametrize("kind", ["copy", "edit", "harmonize"])
def test_a_marked_part_is_edited(client, model, photo, kind):
    drawn = canvas(photo, (2, 2, 14, 14))
    gallery, _ = client.predict(model=model, canvas=drawn, kind=kind, right=50, api_name="/edit")
    entered = pyvips.Image.new_from_file(gallery[0]["image"]).numpy().astype(int)
    painted = (abs(entered - (200, 30, 30)).max(-1) < 40).sum()
    assert (painted > 60) == (kind != "copy")  # what is copied is the picture, not the paint


def test_what_is_moved_leaves_its_place(client, model, photo):
    given = {"model": model, "canvas": canvas(photo, (2, 2, 14, 14)), "right": 50, "api_name": "/edit"}
    copied, moved = (
        pyvips.Image.new_from_file(client.predict(kind=kind, **given)[0][0]["image"]).numpy().astype(int)
        for kind in ("copy", "move")
    )
    changed = abs(moved - copied).max(-1) > 0
    assert changed[3:10, 3:10].mean() > 0.5  # of the model's 40 pixels for the photo's 48
    assert not changed[:, 14:].any() and not changed[14:].any()


@pytest.mark.parametrize("kind", ["copy", "edit", "harmonize"])
def test_a_part_of_a_loaded_picture_is_pasted(client, model, photo, kind):
    """Only paint could be blended in, as the mark covered what lay below it."""
    white = photo.with_name("white.png")
    (pyvips.Image.black(48, 40, bands=3) + 255).cast("uchar").copy(interpretation="srgb").write_to_file(str(white))
    drawn = canvas(white, (2, 2, 14, 14))
    gallery, _ = client.predict(model=model, canvas=drawn, kind=kind, loaded=True, right=50, api_name="/edit")
    entered = pyvips.Image.new_from_file(gallery[0]["image"]).numpy()
    rows, columns = np.nonzero((entered > 245).all(-1))
    assert len(rows) > 60 and rows.max() < 14
    assert (columns.min() >= 20) == (kind == "copy")
    with pytest.raises(gradio_client.exceptions.AppError, match="cannot be moved; copy it"):
        client.predict(model=model, canvas=drawn, kind="move", loaded=True, api_name="/edit")


def test_nothing_marked_is_said_so(client, model, photo):
    with pytest.raises(gradio_client.exceptions.AppError, match="nothing is painted"):
        client.predict(model=model, canvas=canvas(photo, (0, 0, 0, 0)), api_name="/edit")


def test_a_film_of_the_picture(client, model):
    file, view, _ = client.predict(model=model, frames=3, fps=5, api_name="/animate")
    film = pyvips.Image.new_from_file(file, n=-1)
    assert file.endswith("pebbles.gif")
    assert (film.get("n-pages"), film.width, film.get("delay")[0]) == (3, 40, 200)
    assert '<img class="isr-film" alt="animation of pebbles"' in view


@pytest.mark.parametrize("name", [None, "", "..", "../../uploads", "no such"])
def test_other_folders_are_no_models(client, name):
    with pytest.raises(gradio_client.exceptions.AppError, match="no trained picture is chosen"):
        client.predict(model=name, frames=2, api_name="/animate")


def test_models_of_others_are_not_seen(address, model):
    other = gradio_client.Client(address, verbose=False)
    with pytest.raises(gradio_client.exceptions.AppError, match="no trained picture is chosen"):
        other.predict(model=model, frames=2, api_name="/animate")
    other.close()


def stopped_halfway(client, job):
    """The outputs of a job that is stopped once it reports steps."""
    while not any(re.search(r"\d+ of \d{5}", str(output)) for output in job.outputs()):
        assert not job.done(), job.exception()
        time.sleep(0.02)
    client.predict(api_name="/stop")
    return job.result(20)


def test_a_stopped_training_is_continued(client, photo):
    options = {"longest": 40, "iterations": 100_000, "preset": "draft"}
    job = client.submit(picture=gradio_client.handle_file(photo), api_name="/train", **options)
    update, line, _ = stopped_halfway(client, job)
    name = update["value"]
    assert f"{name} is stopped; it can be continued" in line
    with pytest.raises(gradio_client.exceptions.AppError, match=f"training of {name} is not finished"):
        client.predict(model=name, frames=2, api_name="/animate")
    assert "is stopped" in stopped_halfway(client, client.submit(model=name, api_name="/resume"))[1]


def test_a_continued_training_shows_the_scales_that_it_has(client, photo):
    """Their previews were gone."""
    options = {"longest": 40, "iterations": 60, "preset": "draft"}
    job = client.submit(picture=gradio_client.handle_file(photo), api_name="/train", **options)
    while not any("scale 2 of" in str(output) for output in job.outputs()):
        assert not job.done(), job.exception()
        time.sleep(0.02)
    client.predict(api_name="/stop")
    update, line, _ = job.result(20)
    assert "is stopped" in line
    *_, previews = client.predict(model=update["value"], api_name="/resume")
    captions = [preview["caption"] for preview in previews]
    assert captions[:4] == ["sample 0", "reconstruction 0", "sample 1", "reconstruction 1"]
