"""What methods are given, and errors of estimates."""

import json
import math

import numpy as np
import pytest
import torch

from helpers.bench import RUN, Spy, case, plan, strictly
from innersr.benchmark.inputs import estimation_errors
from innersr.benchmark.runner import cases_of, compute_row
from innersr.blind.estimate import Estimate
from innersr.images.image import Image
from innersr.methods.registry import make_method
from innersr.metrics.fidelity import psnr_y
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian
from innersr.pipeline.adaptation import upscale_image

LONG = gaussian(4.0, 1.0, math.radians(30))


def test_methods_are_given_the_truth_an_estimate_or_a_kernel(folder, examined):
    given = {}
    for text in ("true", "auto", "gaussian:2.0", "bicubic"):
        row = compute_row(case(folder / "a.png", 2.0, "ganid+noise5", Spy(seen=(seen := [])), given=text), RUN)
        given[text] = seen
        assert row["given"] == text and ("estimate" in row) == (text == "auto")
    assert given["true"][1].noise == pytest.approx(5 / 255) and given["true"][1].anchor == (10, 10)
    assert given["auto"][1].noise == pytest.approx(0.02)
    assert torch.equal(given["gaussian:2.0"][1].kernel, Degradation(scale=2, kernel=gaussian(2.0)).kernel)
    assert (given["bicubic"][1].kernel, given["gaussian:2.0"][1].noise) == (None, 0)
    assert all(torch.equal(seen[0], given["true"][0]) for seen in given.values())
    ((lr, scale),) = examined
    assert torch.equal(lr, given["true"][0]) and scale == 2


@pytest.mark.usefixtures("examined")
def test_a_row_holds_how_far_what_was_found_out_is_from_the_truth(folder, tmp_path):
    np.save(tmp_path / "k.npy", LONG.numpy())
    row = compute_row(case(folder / "a.png", degradation=f"{tmp_path / 'k.npy'}+noise10", given="auto"), RUN)
    found = row["estimate"]
    assert found["true_covariance"] == pytest.approx([3.25, 1.299, 1.75], abs=2e-3)
    assert found["covariance"] == pytest.approx([1 + 2 * math.cos(math.radians(75)) ** 2, 0.5, 2.866], abs=2e-3)
    assert found["angle_error_degrees"] == pytest.approx(45, abs=0.1)
    assert found["true_variance_ratio"] == pytest.approx(4, rel=1e-3)
    assert (found["confidence"], found["jpeg_quality"]) == ("medium", None)
    assert (found["noise"], found["true_noise"]) == (5.1, 10)
    assert strictly(json.dumps(row)) == row


def test_the_truth_is_the_effective_kernel_and_a_round_one_has_no_angle():
    estimate = Estimate(degradation=Degradation(scale=2, kernel=LONG), confidence="high")
    bicubic = estimation_errors(estimate, Degradation(scale=2))
    assert bicubic["true_covariance"] == pytest.approx([0, 0, 0], abs=1e-3)  # of Keys' cubic
    assert (bicubic["angle_error_degrees"], bicubic["true_variance_ratio"]) == (None, 1)
    folded = estimation_errors(estimate, Degradation(scale=2, kernel=LONG, subsampling="bicubic"))
    assert folded["true_covariance"] == pytest.approx([3.25, 1.299, 1.75], abs=5e-3)
    assert folded["angle_error_degrees"] == pytest.approx(0, abs=0.1)
    broken = estimation_errors(estimate, Degradation(scale=1.5, kernel=LONG))
    assert (broken["true_covariance"], broken["angle_error_degrees"], broken["true_variance_ratio"]) == (None,) * 3


def test_by_default_a_method_does_what_upscaling_without_options_does(folder):
    tiny = make_method("tailor", settings={"steps": 0})
    row = compute_row(case(folder / "a.png", 2.0, "box+noise5", tiny, given="default"), RUN)
    shrunk = case(folder / "a.png", 2.0, "box+noise5").shrunk(RUN)
    result = upscale_image(Image(colour=shrunk.lr), None, tiny, RUN)
    assert row["psnr_y"] == round(psnr_y(result.image.colour, shrunk.hr, 2), 4)
    assert row["estimate"]["confidence"] == result.estimate.confidence


def test_only_by_default_the_steps_depend_on_the_image(folder):
    cases = cases_of(plan(folder, methods=("tailor",), limit=1, given=("auto", "default")))
    assert {each.given: each.method.by_recurrence for each in cases} == {"auto": False, "default": True}
