"""The benchmark of real life: which cases it has."""

from collections import Counter
from pathlib import Path

from helpers.bench import draw, plan
from innersr.benchmark.chains import parse_chain
from innersr.benchmark.made.catalogue import KINDS
from innersr.benchmark.real_life import real_life_plans
from innersr.benchmark.runner import cases_of


def test_every_kind_is_there_and_every_chain_is_one():
    plans = real_life_plans(plan(Path("photos"), given=("auto",), scales=(2.0, 4.0)))
    assert [str(each.folders[0]) for each in plans if each.folders] == ["photos", *(f"made:{kind}" for kind in KINDS)]
    chains = [chain for each in plans for chain in each.degradations]
    for chain in chains:
        for scale in (2, 4):
            parse_chain(chain, scale)
    assert {each.given for each in plans} == {("auto",)}
    assert {(each.limit, each.crop) for each in plans} == {(6, 256)}


def test_there_are_more_than_300_cases_with_two_folders(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for name in "abcdefgh":
            draw(tmp_path / folder / f"{name}.png", 12, 12)
    plans = real_life_plans(plan(tmp_path / "one", tmp_path / "two", methods=("tailor",), given=("auto",)))
    cases = [case for each in plans for case in cases_of(each)]
    kinds = Counter(case.source.folder.split("/")[0] == "made" for case in cases)
    assert kinds[True] > 120 and kinds[False] > 240
    assert {case.source.name for case in cases if "one" in case.source.folder} == {f"{name}.png" for name in "abcefg"}
    assert len({(c.source.folder, c.source.name, c.degradation) for c in cases}) == len(cases)
