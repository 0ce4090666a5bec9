"""The drawing of recurrence: heat, frames, enlarged pairs."""

import numpy as np
import torch
from matplotlib.colors import to_rgb

from helpers.images import facade
from innersr.metrics.recurrence import Box, Pair, Recurrence, recurrence_of
from innersr.plots.recurrence import FRAMES, recurrence_sheet


def colours_of(sheet):
    return {tuple(int(level) for level in colour) for colour in np.unique(sheet.reshape(-1, 3), axis=0)}


def test_the_sheet_is_brighter_where_more_recurs():
    heat = torch.zeros(560, 560)
    heat[:, 280:] = 1
    found = Recurrence(map=heat, score=0.5, detail=0.5, pairs=())
    sheet = recurrence_sheet(torch.full((1, 3, 560, 560), 0.5), found, ["title"]).astype(int)
    height, width = sheet.shape[:2]
    cold, hot = (sheet[height // 2, width // 2 + way * 140] for way in (-1, 1))
    assert len(set(cold.tolist())) == 1  # grey
    assert hot[0] > cold[0] + 60
    assert hot[0] > hot[2] + 60


def test_each_pair_is_framed_in_a_colour_of_its_own():
    pairs = recurrence_of(facade(192)).pairs
    sheet = recurrence_sheet(facade(192), Recurrence(map=torch.zeros(192, 192), score=0.5, detail=0.5, pairs=pairs), [])
    frames = {tuple(round(255 * level) for level in to_rgb(colour)) for colour in FRAMES[: len(pairs)]}
    assert pairs and frames <= colours_of(sheet)


def test_pairs_are_enlarged_below_the_picture():
    picture = torch.zeros(1, 3, 100, 100)
    picture[:, 0, 10:20, 10:20] = 1  # red, explained by the blue one
    picture[:, 2, 60:75, 60:75] = 1
    pair = Pair(patch=Box(10, 10, 10), source=Box(60, 60, 15), scale=2 / 3, explained=0.9)
    found = Recurrence(map=torch.zeros(100, 100), score=0.5, detail=0.5, pairs=(pair,))
    sheet = recurrence_sheet(picture, found, ["title"])
    for colour in ((255, 0, 0), (0, 0, 255)):  # the picture itself is drawn grey
        rows, columns = np.nonzero((sheet == colour).all(axis=2))
        assert len(rows) > 90 * 90
        assert np.ptp(rows) < 108 and np.ptp(columns) < 108
