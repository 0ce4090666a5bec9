"""Damaged manifests: what is sound counts, and nothing raises."""

import json
import random
from pathlib import Path

import pytest

from helpers.bench import draw
from helpers.cli import BICUBIC, upscale
from innersr.batch.manifest import Manifest
from innersr.errors import InputError


def written(folder, count=3):
    manifest = Manifest(folder)
    for number in range(count):
        result = folder / f"{number}.png"
        result.write_bytes(b"result")
        manifest.add(result, source=f"in/{number}.png", digest="d", settings="s", status="done", result_size=6)
    manifest.close()
    return manifest.path


def mutated(data, draws):
    """Bytes with one to four changes: of a bit, a stretch that is cut out or repeated, or a value of another type."""
    data = bytearray(data)
    for _ in range(draws.randint(1, 4)):
        place, length = draws.randrange(len(data)), draws.randint(1, 40)
        kind = draws.randrange(4)
        if kind == 0:
            data[place] ^= 1 << draws.randrange(8)
        elif kind == 1:
            del data[place : place + length]
        elif kind == 2:
            data[place:place] = data[place : place + length] * draws.randint(1, 3)
        else:
            value = draws.choice([b"null", b"[]", b"1e999", b'"\\ud800"', b"-1", b'"\\u0000"', b"9" * 400, b"{"])
            start = data.rfind(b":", 0, place) + 1
            data[start : data.find(b",", place)] = b" " + value
    return bytes(data or b"\n")


@pytest.mark.parametrize("seed", range(4))
def test_mutated_manifests_raise_nothing_and_are_mended(tmp_path, seed):
    path, draws = written(tmp_path), random.Random(seed)
    sound = path.read_bytes()
    for _ in range(40):
        path.write_bytes(mutated(sound, draws))
        for _ in range(2):
            said = []
            manifest = Manifest(tmp_path, note=said.append)
            manifest.lock()
            for number in range(3):
                result = tmp_path / f"{number}.png"
                manifest.is_done(result, "d", "s"), manifest.may_replace(result)
            manifest.close()
        assert said == []  # the second time there is nothing to mend
        for kept in path.parent.glob("*.damaged*"):
            kept.unlink()


def test_a_damaged_manifest_is_moved_aside_and_reported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    draw(Path("in/a.png"), 20, 24), draw(Path("in/b.png"), 20, 24)
    assert upscale("in", "-o", "out/", *BICUBIC).exit_code == 0
    path = Path("out/.innersr/manifest.jsonl")
    lines = path.read_text().splitlines()
    entry = json.loads(lines[1])
    lines[1] = json.dumps(entry | {"result_size": "many"})
    path.write_text("\n".join(lines) + "\n")
    result = upscale("in", "-o", "out/", *BICUBIC)
    said = "manifest.jsonl: line 2 is damaged; the log is kept as manifest.damaged.jsonl, its 3 sound lines are used"
    assert result.exit_code == 0 and said in result.stderr
    assert "1 done, 1 skipped" in result.stdout
    assert "damaged" not in upscale("in", "-o", "out/", *BICUBIC).stderr


def test_a_manifest_that_cannot_be_read_is_reported_in_one_line(tmp_path):
    (tmp_path / ".innersr" / "manifest.jsonl").mkdir(parents=True)
    with pytest.raises(InputError, match=r"manifest.jsonl: the manifest cannot be read \(Is a directory\); move it"):
        Manifest(tmp_path)
