import numpy as np
import pytest

from innersr.methods.schedules import PlateauRule, cosine, fit_line

EXACT = 1e-12  # float64; sums in another order


def falls(rule, errors):
    """Return after which tests the rate fell."""
    fallen = []
    for index, error in enumerate(errors):
        before = rule.learning_rate
        rule.observe(error)
        if rule.learning_rate < before:
            assert rule.learning_rate == pytest.approx(before / 10)
            fallen.append(index)
    return fallen


@pytest.mark.parametrize("count", [3, 4, 5, 12])
@pytest.mark.parametrize("trend", [-0.3, 0.0, 2.0])
def test_fit_line_agrees_with_numpy(count, trend):
    values = np.random.default_rng(count).normal(size=count) + trend * np.arange(count)
    # cov=True scales the covariance by the residuals over n - 2.
    (slope, _), covariance = np.polyfit(np.arange(count), values, 1, cov=True)
    fitted, deviation = fit_line(values.tolist())
    assert fitted == pytest.approx(slope, rel=1e-9)  # numpy solves by SVD, good to some 1e-10
    assert deviation == pytest.approx(np.sqrt(covariance[0, 0]), rel=1e-9)


def test_a_straight_line_has_no_deviation():
    slope, deviation = fit_line([1.0, 0.75, 0.5, 0.25])
    assert (slope, deviation) == (pytest.approx(-0.25, abs=EXACT), pytest.approx(0, abs=EXACT))


def test_the_rate_stays_while_the_error_falls():
    rule = PlateauRule(1e-3)
    assert falls(rule, [1 / (step + 1) for step in range(40)]) == []
    assert not rule.is_over


@pytest.mark.parametrize("level", [0.0, 0.1, 1 / 3, 7e-5])
def test_the_rate_falls_when_the_error_stands_still(level):
    # An all-black image has the error 0 from the first test on, to the last bit.
    assert falls(PlateauRule(1e-3), [level] * 20) == [5, 11, 17]


@pytest.mark.parametrize("window", [3, 5, 8])
def test_the_rate_falls_when_the_error_only_jitters_or_grows(window):
    jitter = np.random.default_rng(1).normal(1, 0.1, 50).tolist()
    assert falls(PlateauRule(1e-3, window=window), jitter)[0] >= window
    assert falls(PlateauRule(1e-3, window=window), range(window + 1)) == [window]


def test_a_fall_needs_as_many_new_tests_as_the_first():
    fallen = falls(PlateauRule(1.0, smallest=1e-9, window=4), [1.0] * 30)
    assert np.diff([-1, *fallen]).tolist() == [5] * 6


def test_the_verdict_is_the_papers_formula():
    decisions = []
    for seed in range(40):
        errors = (np.random.default_rng(seed).normal(size=6) - 0.4 * np.arange(6)).tolist()
        (slope, _), covariance = np.polyfit(np.arange(5), errors[1:], 1, cov=True)
        decisions.append(bool(-1.5 * slope < np.sqrt(covariance[0, 0])))
        assert bool(falls(PlateauRule(1e-3), errors)) == decisions[-1]
    assert 5 < sum(decisions) < 35  # both verdicts were put to the test


@pytest.mark.parametrize("learning_rate", [1e-3, 2e-3])
def test_learning_is_over_after_three_falls(learning_rate):
    rule = PlateauRule(learning_rate)
    states = []
    for _ in range(3):
        states.append(rule.is_over)
        falls(rule, [1.0] * 6)
    assert [*states, rule.is_over] == [False, False, False, True]
    assert rule.learning_rate == pytest.approx(learning_rate / 1000)


def test_the_cosine_goes_from_the_rate_to_its_floor():
    assert cosine(0, 0.002) == pytest.approx(0.002, rel=EXACT)
    assert cosine(0.5, 0.002) == pytest.approx(0.002 * (1 + 0.01) / 2, rel=EXACT)
    assert cosine(1, 0.002) == pytest.approx(0.00002, rel=EXACT)
    assert cosine(1, 0.002, floor=0) == 0
    rates = [cosine(p / 50, 1.0) for p in range(51)]
    assert rates == sorted(rates, reverse=True)


def test_the_cosine_stays_at_its_floor_when_the_time_is_over():
    assert cosine(1.7, 1.0) == cosine(1, 1.0)
