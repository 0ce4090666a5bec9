from dataclasses import FrozenInstanceError, replace
from types import SimpleNamespace

import pytest
import torch

from innersr import run as run_module
from innersr.errors import Cancelled, InputError
from innersr.run import REPORT_INTERVAL, Progress, Run

START = 100.0


@pytest.fixture
def clock(monkeypatch):
    """A clock that only a test moves: clock.now += seconds."""
    hands = SimpleNamespace(now=START)
    monkeypatch.setattr("innersr.run.time", SimpleNamespace(monotonic=lambda: hands.now))
    return hands


def timed_run(**settings):
    """A run on the CPU that began when the clock of the test did."""
    return Run(device="cpu", started=START, **settings)


def pretend_devices(monkeypatch, *, cuda=0, mps=False):
    monkeypatch.setattr("torch.cuda.is_available", lambda: cuda > 0)
    monkeypatch.setattr("torch.cuda.device_count", lambda: cuda)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: mps)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"precision": "fp16"}, "precision must be one of auto, fp32, bf16, got 'fp16'"),
        ({"time_limit": 0}, "time limit must be a positive number of seconds, got 0"),
        ({"time_limit": -1.5}, "got -1.5"),
        ({"time_limit": float("nan")}, "got nan"),
        ({"tile": -1}, "tile must be a number of pixels, or 0 for the whole image at once, got -1"),
        ({"seed": -1}, "seed must be between 0 and 2\\^63 - 1, got -1"),
        ({"seed": 2**63}, "seed must be between"),
        ({"device": "gpu"}, "unknown device 'gpu'; use auto, cpu, cuda, cuda:1 or mps"),
        ({"device": ""}, "unknown device ''"),
        ({"device": "meta"}, "device meta is not supported; use auto, cpu, cuda, mps or xpu"),
        ({"device": "cpu:1"}, "device cpu:1 is not available on this machine; use cpu or auto"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_value(settings, text):
    with pytest.raises(InputError, match=text):
        Run(**settings)


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "mps"])
def test_a_device_that_the_machine_lacks_is_refused_at_once(monkeypatch, device):
    pretend_devices(monkeypatch)
    with pytest.raises(InputError, match=f"device {device} is not available on this machine"):
        Run(device=device)


def test_the_second_gpu_of_a_machine_with_one_is_refused_at_once(monkeypatch):
    pretend_devices(monkeypatch, cuda=1)
    assert Run(device="cuda:0").torch_device == torch.device("cuda:0")
    with pytest.raises(InputError, match="device cuda:1 is not available"):
        Run(device="cuda:1")


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(1, True, "cuda"), (1, False, "cuda"), (0, True, "mps"), (0, False, "cpu")]
)
def test_auto_takes_cuda_then_mps_then_the_cpu(monkeypatch, cuda, mps, expected):
    pretend_devices(monkeypatch, cuda=cuda, mps=mps)
    assert Run().torch_device == torch.device(expected)


@pytest.mark.parametrize(
    ("device", "cuda", "expected"),
    [
        ("auto", 2, ["cuda:0", "cuda:1"]),
        ("cuda", 2, ["cuda:0", "cuda:1"]),
        ("cuda:1", 2, ["cuda:1"]),
        ("cuda", 1, ["cuda"]),
        ("auto", 0, ["cpu"]),
        ("cpu", 2, ["cpu"]),
    ],
)
def test_a_kind_of_device_stands_for_all_of_them(monkeypatch, device, cuda, expected):
    pretend_devices(monkeypatch, cuda=cuda)
    assert Run(device=device).devices == expected


def test_a_run_does_not_change():
    with pytest.raises(FrozenInstanceError):
        Run().seed = 3


@pytest.mark.parametrize(
    ("limit", "capable", "expected"),
    [("", True, torch.bfloat16), ("AVX512_CORE_AMX", True, torch.bfloat16), ("avx2", True, None), ("", False, None)],
)
def test_bf16_is_not_emulated(monkeypatch, limit, capable, expected):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: capable)
    run_module._has_native_bf16_cpu.cache_clear()
    assert Run(device="cpu").dtype is (expected or torch.float32)
    run_module._has_native_bf16_cpu.cache_clear()


@pytest.mark.parametrize(("native", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_automatic_precision_is_bf16_where_the_device_computes_it_natively(monkeypatch, native, expected):
    monkeypatch.setattr("innersr.run._has_native_bf16", lambda _: native)
    assert Run(device="cpu").dtype is expected


@pytest.mark.parametrize(("precision", "expected"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_the_precision_asked_for_is_that_of_a_network_pass(precision, expected):
    run = Run(device="cpu", precision=precision)
    weight, x = torch.ones(2, 3, 1, 1), torch.ones(1, 3, 4, 4)
    with run.autocast():
        assert torch.nn.functional.conv2d(x, weight).dtype is expected
    assert run.dtype is expected
    assert torch.nn.functional.conv2d(x, weight).dtype is torch.float32


def test_the_seed_alone_decides_the_draws():
    draws = [torch.rand(5, generator=Run(seed=seed).generator()) for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_every_generator_starts_afresh_and_leaves_the_global_one_alone():
    run, state = Run(seed=4), torch.get_rng_state()
    first = torch.rand(3, generator=run.generator())
    assert torch.equal(first, torch.rand(3, generator=run.generator()))
    assert torch.equal(state, torch.get_rng_state())


def test_time_used_is_a_fraction_of_the_limit(clock):
    run = timed_run(time_limit=20)
    assert run.time_used() == 0
    clock.now += 5
    assert run.time_used() == 0.25
    clock.now += 25
    assert run.time_used() == 1.5


def test_without_a_limit_no_time_is_used(clock):
    run = timed_run()
    clock.now += 1e9
    assert run.time_used() == 0


def test_a_time_limit_counts_from_the_start_of_each_use(clock):
    run = Run(device="cpu", time_limit=20)
    for _ in range(2):
        begun = run.start()
        clock.now += 10
        assert begun.time_used() == 0.5
        assert begun.start() is begun
    assert run.time_used() == 0


def test_a_loop_starts_the_clock_of_a_run_that_has_none(clock):
    run, done = Run(device="cpu", time_limit=2.5), []
    clock.now += 100
    for step in run.steps("learn", 10):
        done.append(step)
        clock.now += 1
    assert done == [0, 1, 2]


def test_a_changed_copy_keeps_the_start(clock):
    run = timed_run(time_limit=20)
    clock.now += 10
    assert replace(run, seed=7).time_used() == 0.5


def test_steps_count_to_their_total():
    assert list(Run(device="cpu").steps("learn", 4)) == [0, 1, 2, 3]


def test_learning_ends_when_the_time_is_over(clock):
    run, done = timed_run(time_limit=2.5), []
    for step in run.steps("learn", 100):
        done.append(step)
        clock.now += 1
    assert done == [0, 1, 2]


def test_an_unlimited_loop_goes_on_when_the_time_is_over(clock):
    run, done = timed_run(time_limit=2.5), []
    for step in run.steps("upscale", 10, limited=False):
        done.append(step)
        clock.now += 1
    assert done == list(range(10))


def test_reports_rise_to_the_total_at_most_ten_a_second(clock):
    reports = []
    run = timed_run(report=lambda progress: reports.append((clock.now, progress)))
    for _ in run.steps("learn", 500):
        clock.now += 0.013
    times, done = [time for time, _ in reports], [progress.done for _, progress in reports]
    assert done == sorted(set(done))
    assert (done[0], done[-1]) == (0, 500)
    # The last report must not wait, so only those before it keep the distance; rounding of sums of 0.013.
    gaps = [b - a for a, b in zip(times[:-1], times[1:-1], strict=False)]
    assert min(gaps) >= REPORT_INTERVAL - 1e-9
    assert len(reports) <= 500 * 0.013 / REPORT_INTERVAL + 2


def test_the_last_report_of_a_loop_that_ran_out_of_time_says_how_far_it_came(clock):
    reports = []
    run = timed_run(time_limit=2.5, report=reports.append)
    for _ in run.steps("learn", 100):
        clock.now += 1
    assert reports[-1] == Progress(stage="learn", done=3, total=100, seconds=3.0, limit=2.5)


def test_an_empty_loop_reports_once():
    reports = []
    assert list(Run(device="cpu", report=reports.append).steps("learn", 0)) == []
    assert [(progress.done, progress.total) for progress in reports] == [(0, 0)]


def test_reports_carry_the_latest_loss(clock):
    reports = []
    steps = timed_run(report=reports.append).steps("learn", 3)
    for step in steps:
        steps.note(torch.tensor(0.5**step))
        clock.now += 1
    assert [progress.loss for progress in reports] == [None, 1.0, 0.5, 0.25]


def test_a_loss_is_not_read_from_the_device_without_a_listener():
    class Unreadable:
        def __float__(self):
            raise AssertionError("a read waits for the device")

    steps = Run(device="cpu").steps("learn", 3)
    for _ in steps:
        steps.note(Unreadable())


def test_the_seconds_left_follow_from_the_pace_so_far():
    assert Progress(stage="learn", done=4, total=10, seconds=2.0).seconds_left == pytest.approx(3.0)
    assert Progress(stage="learn", done=10, total=10, seconds=2.0).seconds_left == 0
    assert Progress(stage="learn", done=0, total=10, seconds=0.1).seconds_left is None


def test_the_seconds_left_end_at_the_time_limit():
    assert Progress(stage="learn", done=4, total=1000, seconds=2.0, limit=8.0).seconds_left == 6
    assert Progress(stage="learn", done=4, total=10, seconds=2.0, limit=8.0).seconds_left == pytest.approx(3.0)
    assert Progress(stage="learn", done=4, total=10, seconds=9.0, limit=8.0).seconds_left == 0


def test_only_limited_loops_report_the_limit():
    reports = []
    run = Run(device="cpu", time_limit=100.0, report=reports.append)
    list(run.steps("learn", 1))
    list(run.steps("upscale", 1, limited=False))
    limits = {report.stage: report.limit for report in reports}
    assert limits["upscale"] is None
    assert limits["learn"] == pytest.approx(100, abs=5)


@pytest.mark.parametrize("limited", [True, False])
def test_cancelling_stops_a_loop_before_its_next_step(limited):
    done = []
    run = Run(device="cpu", cancelled=lambda: len(done) == 2)
    with pytest.raises(Cancelled):
        for step in run.steps("learn", 100, limited=limited):
            done.append(step)
    assert done == [0, 1]


def test_check_cancelled_is_silent_until_the_caller_wants_to_stop():
    Run(device="cpu").check_cancelled()
    Run(device="cpu", cancelled=lambda: False).check_cancelled()
    with pytest.raises(Cancelled):
        Run(device="cpu", cancelled=lambda: True).check_cancelled()
