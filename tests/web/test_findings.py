"""What the page tells about a picture: in words that agree with the drawings."""

import pytest
import torch

pytest.importorskip("gradio", reason="the page needs the extra web")

from innersr.blind.estimate import Candidate, Estimate
from innersr.methods.options import UpscaleOptions
from innersr.metrics.recurrence import Recurrence
from innersr.physics.degradation import Degradation
from innersr.physics.kernels import gaussian
from innersr.pipeline.files import open_file
from innersr.plots.kernels import kernel_cell
from innersr.run import Run
from innersr.web import findings
from innersr.web.visitors import bundled_examples


def estimate_of(blurred, **fields):
    plain = Degradation(scale=2)
    return Estimate(degradation=blurred, mixture=(Candidate(plain, 0.6), Candidate(blurred, 0.2)), **fields)


@pytest.fixture
def blurred():
    return Degradation(scale=2, kernel=gaussian(2.0, 1.0), noise=5 / 255)


def test_each_thing_is_a_sentence_in_whole_words(blurred):
    assert findings.found_in_words(estimate_of(blurred, confidence="low", jpeg_quality=60)) == [
        "blur: 1.4 × 1.0 pixels of the result at 0°",
        "noise: 5.0 of 255 grey levels",
        "compression: JPEG quality about 60",
        "confidence: low, so 20 % of the result is plain interpolation",
    ]


def test_the_blur_that_is_drawn_is_the_one_that_is_told(blurred, tmp_path, monkeypatch):
    """The drawing was once of the candidate with the largest share: 0.00 x 0.00 px beside 0.5x0.5 px."""
    drawn = []
    monkeypatch.setattr(findings, "kernel_cell", lambda kernel: drawn.append(kernel) or kernel_cell(kernel))
    task = open_file(bundled_examples() / "bricks.png", None, UpscaleOptions(scale=2))
    recurrence = Recurrence(map=torch.zeros(8, 8), score=0.5, detail=0.5, pairs=[])
    seen = task.normalised(Run(device="cpu"))
    estimate = estimate_of(blurred, confidence="low")
    found = findings.Findings(task=task, whole=task, seen=seen, estimate=estimate, recurrence=recurrence)
    assert found.draw_kernel(tmp_path / "kernel.png").is_file()
    expected = blurred.effective_kernel().blur.kernel
    assert torch.equal(drawn[0], expected)
