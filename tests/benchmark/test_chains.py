"""Degradation chains by name: which links there are, in which order they act, and what methods are given."""

import math

import pytest
import torch
import torch.nn.functional as F

from innersr.benchmark.chains import Chain, Link, parse_chain, parse_names
from innersr.errors import InputError
from innersr.metrics.grey_levels import quantized
from innersr.physics.chains import shrinking_taps, softened, unsharp_filter
from innersr.physics.degradation import Degradation
from innersr.physics.jpeg import compressed, jpeg_strength, webp_strength
from innersr.physics.kernel_files import save_kernel
from innersr.physics.kernels import gaussian
from innersr.physics.named_degradations import parse_degradation
from innersr.physics.resize import as_pair, resize


def scene(channels=3, side=96, seed=1):
    noise = torch.rand(1, channels, side // 4, side // 4, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(noise, size=(side, side), mode="bilinear")


def shrunk(name, hr=None, scale=2, seed=0):
    hr = scene() if hr is None else hr
    return parse_chain(name, scale).apply(hr, scale, "a.png", torch.Generator().manual_seed(seed))


def rms(x):
    return float(x.square().mean().sqrt())


def test_a_shrinking_alone_is_the_named_degradation():
    for name in ("bicubic", "g2.0d", "random:3"):
        lr, degradation = shrunk(name)[1:]
        expected = parse_degradation(name, 2, "a.png")
        assert torch.equal(lr, quantized(expected(scene().double())))
        assert (degradation.noise, degradation.compression) == (0, 0)
        assert degradation.kernel is None or torch.equal(degradation.kernel, expected.kernel)


def test_noise_is_added_and_given_and_changes_no_kernel():
    clean, noisy = shrunk("random:3"), shrunk("random:3+noise10")
    assert torch.equal(noisy.degradation.kernel, clean.degradation.kernel)
    assert noisy.degradation.noise == 10 / 255
    assert 255 * rms(noisy.lr - clean.lr) == pytest.approx(10, rel=0.1)  # some values are clipped


@pytest.mark.parametrize("channels", [1, 3])
def test_a_jpeg_loses_less_the_better_its_quality(channels):
    hr = scene(channels)
    clean, errors = shrunk("bicubic", hr).lr, []
    for quality in (20, 60, 95):
        _, lr, degradation = shrunk(f"bicubic+jpeg{quality}", hr)
        assert lr.shape == clean.shape and degradation.noise == 0
        assert degradation.compression == jpeg_strength(quality)
        assert (lr * 255 - (lr * 255).round()).abs().max() < 1e-4  # 8 bits
        errors.append(rms(lr - clean))
    assert errors[0] > errors[1] > errors[2] > 0


def test_links_act_in_the_order_in_which_they_stand():
    noisy = shrunk("g2.0d+noise5").lr
    assert torch.equal(shrunk("g2.0d+noise5+jpeg60").lr, compressed(noisy, 60))
    late = shrunk("g2.0d+jpeg60+noise5").lr - shrunk("g2.0d+jpeg60").lr
    assert torch.allclose(late, noisy - shrunk("g2.0d").lr, atol=1.5 / 255)  # both rounded


def test_a_second_jpeg_is_of_the_first():
    first, second = shrunk("bicubic+jpeg85").lr, shrunk("bicubic+jpeg85+jpeg70")
    assert torch.equal(second.lr, compressed(first, 70))
    assert second.degradation.compression == jpeg_strength(70) > jpeg_strength(85)


def test_the_strongest_compression_is_given_and_the_noise_of_all_links_together():
    assert shrunk("bicubic+jpeg70+jpeg85").degradation.compression == jpeg_strength(70)
    assert shrunk("jpeg50+bicubic+webp95").degradation.compression == jpeg_strength(50) / 2
    flat = torch.full((1, 3, 160, 160), 0.5)
    _, lr, degradation = shrunk("noise6+grey8", flat)
    assert degradation.noise == pytest.approx(10 / 255)
    assert 255 * rms(lr - 0.5) == pytest.approx(10, rel=0.05)


def test_links_before_shrinking_act_on_the_large_image():
    hr = quantized(scene())
    expected = quantized(parse_degradation("bicubic", 2)(compressed(hr, 50).double()))
    _, lr, degradation = shrunk("jpeg50+bicubic", hr)
    assert torch.equal(lr, expected)
    assert degradation.compression == pytest.approx(0.25)  # half of its strength
    chain = parse_chain("grain5+jpeg50+box+noise3", 2)
    assert [link.kind for link in chain.early] == ["grain", "jpeg"] and chain.late == (Link("noise", (3.0,)),)


def test_noise_before_shrinking_is_given_as_it_remains():
    hr = torch.full((1, 3, 240, 240), 0.5)
    assert 255 * shrunk("noise20+box", hr).degradation.noise == pytest.approx(10, rel=0.01)  # means of four
    sharp = float(unsharp_filter(1.0, 0.8).square().sum().sqrt())
    assert 255 * shrunk("noise5+sharpen:1:0.8", hr).degradation.noise == pytest.approx(5 * sharp, rel=0.01)


def test_where_no_link_shrinks_bicubic_comes_before_all_but_soft():
    assert parse_chain("noise10+jpeg75", 2) == parse_chain("bicubic+noise10+jpeg75", 2)
    assert parse_chain("soft:4+jpeg75", 2) == parse_chain("soft:4+bicubic+jpeg75", 2)
    assert parse_chain("soft:4+jpeg75+box", 2) == Chain(soft=4, early=(Link("jpeg", (75.0,)),), shrinking="box")


def test_the_truth_of_a_soft_scene_is_soft():
    hr, lr, degradation = shrunk("soft:2.25+bicubic")
    assert torch.equal(hr, softened(scene(), [1.5]))
    assert torch.equal(lr, quantized(parse_degradation("bicubic", 2)(hr.double())))
    assert degradation.kernel is None


@pytest.mark.parametrize(
    ("name", "plain"),
    [("lanczos+sharpen:1.0:0.6", "lanczos"), ("sharpen:1.0,2+box", "box"), ("g2.0d+sharpen:1:0.6", "g2.0d")],
)
def test_sharpening_is_part_of_the_kernel_that_is_given(name, plain):
    hr = scene(side=128) * 0.4 + 0.3
    _, lr, degradation = shrunk(name, hr)
    explained = degradation.forward(hr)
    inner = (..., slice(10, -10), slice(10, -10))  # at the edges the images are extended differently
    assert (lr - explained)[inner].abs().max() < 0.6 / 255
    assert (lr - shrunk(plain, hr).lr).abs().max() > 3 / 255


@pytest.mark.parametrize("scale", [2, 3])
def test_lanczos_and_box_shrink_as_image_tools_do(scale):
    hr = scene()
    assert torch.allclose(shrunk("box", hr, scale).lr, F.avg_pool2d(hr, scale), atol=0.51 / 255)
    taps = shrinking_taps("lanczos", scale)
    middle = taps.shape[0] // 2
    expected = Degradation(scale=scale, kernel=taps, anchor=(middle, middle)).forward(hr)
    assert torch.allclose(shrunk("lanczos", hr, scale).lr, expected.clamp(0, 1), atol=0.51 / 255)


def test_kinds_of_noise_differ():
    flat = torch.full((1, 3, 160, 160), 0.5)
    fields = {kind: shrunk(f"{kind}10", flat).lr[0] - 0.5 for kind in ("noise", "grey", "grain", "chroma")}
    for field in fields.values():
        assert 255 * rms(field) == pytest.approx(10, rel=0.05)
    neighbours = {kind: float((f[:, 1:] * f[:, :-1]).mean()) / rms(f) ** 2 for kind, f in fields.items()}
    assert abs(neighbours["noise"]) < 0.05 and neighbours["grain"] == pytest.approx(0.6, abs=0.1)
    assert torch.equal(fields["grey"][0], fields["grey"][2])
    luma = (fields["chroma"] * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(0)
    assert 255 * luma.abs().max() < 1


def test_counts_have_the_variance_of_their_mean():
    dark, light = (shrunk("poisson:100", torch.full((1, 1, 200, 200), level)) for level in (0.1, 0.6))
    assert float(dark.lr.var()) == pytest.approx(0.1 / 100, rel=0.05)
    assert float(light.lr.var()) == pytest.approx(0.6 / 100, rel=0.05)
    assert light.degradation.noise == pytest.approx(math.sqrt(0.6 / 100), rel=0.03)


def test_counting_noise_is_given_as_such_unless_it_was_changed_since():
    assert shrunk("poisson:100").degradation.counting.gain == pytest.approx(0.01)
    assert shrunk("poisson:100+noise5").degradation.counting.read == pytest.approx(5 / 255)
    for name in ("poisson:100+jpeg75", "poisson:100+sharpen:1:0.5", "poisson:100+bicubic", "noise5+poisson:100"):
        assert shrunk(name).degradation.counting is None
        assert shrunk(name).degradation.noise > 0


@pytest.mark.parametrize("channels", [1, 3])
def test_webp_is_a_link(channels):
    hr = scene(channels)
    _, lr, degradation = shrunk("webp30", hr)
    assert lr.shape == (1, channels, 48, 48) and 0 < rms(lr - shrunk("bicubic", hr).lr) < 0.2
    assert degradation.compression == webp_strength(30)


def test_random_links_repeat_by_seed():
    for name in ("noise10", "grain10", "poisson:50", "chroma10+bicubic"):
        assert torch.equal(shrunk(name).lr, shrunk(name).lr)
        assert not torch.equal(shrunk(name).lr, shrunk(name, seed=1).lr)


def test_a_kernel_file_with_a_plus_in_its_path_is_a_link(tmp_path):
    (tmp_path / "a+b").mkdir()
    save_kernel(gaussian(2.0), tmp_path / "a+b" / "k.npy")
    chain = parse_chain(f"noise1+{tmp_path}/a+b/k.npy+jpeg60", 2)
    assert (chain.shrinking, len(chain.early), len(chain.late)) == (f"{tmp_path}/a+b/k.npy", 1, 1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bicubic+noise3+box", "shrinks once, got 'bicubic.noise3.box'; keep one of bicubic, box"),
        ("noise3+soft:4", "soft:VAR is of the scene and comes first"),
        ("bicubic+soft:4", "soft:VAR is of the scene and comes first"),
        ("sharpen:1", "the form is sharpen:SIGMA:AMOUNT, got 'sharpen:1'"),
        ("sharpen:1:x", "the form is sharpen:SIGMA:AMOUNT"),
        ("poisson:0", "poisson:PEAK takes numbers above 0"),
        ("bicubic+jpeg70.5", "jpeg takes a quality from 1 to 100"),
        ("webp0", "webp takes a quality from 1 to 100"),
        ("noise255", "noise is a standard deviation in 8-bit levels below 255"),
        ("bicubic+noise", "unknown degradation 'bicubic.noise'"),
        ("motion:3", "the form is motion:LENGTH:DEGREES"),
        ("gaussian8:9", "gaussian8:1 to gaussian8:8 are the kernels"),
        ("disk:0.2", "a disk has a radius from 0.5"),
    ],
)
def test_an_invalid_chain_is_refused(name, message):
    with pytest.raises(InputError, match=message):
        parse_chain(name, 2)


@pytest.mark.parametrize("name", ["box", "lanczos", "bicubic+sharpen:1:0.5"])
def test_a_scale_that_is_not_whole_has_no_taps(name):
    with pytest.raises(InputError, match="whole scale"):
        parse_chain(name, 2.5)


def test_a_jpeg_of_two_channels_is_refused():
    for kind in ("jpeg", "webp"):
        with pytest.raises(InputError, match=rf"one or three channels, got 2; leave \+{kind} out"):
            shrunk(f"{kind}60", scene(2))


def test_names_are_listed_and_a_comma_before_a_number_parts_nothing():
    assert parse_names("bicubic, g2.0d+noise3 ,box") == ("bicubic", "g2.0d+noise3", "box")
    listed = parse_names("sharpen:1.0,0.6+jpeg75, gaussian:4, 1,30deg,lanczos+sharpen:1,0.5")
    assert listed == ("sharpen:1.0,0.6+jpeg75", "gaussian:4,1,30deg", "lanczos+sharpen:1,0.5")
    assert parse_chain(listed[0], 2) == parse_chain("sharpen:1.0:0.6+jpeg75", 2)
    assert parse_names("a,") == ("a", "")


def test_gaussian8_is_a_set_of_eight_kernels():
    names = parse_names("noise1+gaussian8+jpeg90,box")
    assert names[0] == "noise1+gaussian8:1+jpeg90" and names[8:] == ("box",)
    first, last = (parse_degradation(f"gaussian8:{i}", 4) for i in (1, 8))
    assert torch.equal(first.kernel, gaussian(1.8**2, size=21)) and torch.equal(last.kernel, gaussian(3.2**2, size=21))


@pytest.mark.parametrize("scale", [2, (2, 3), (3, 2)])
def test_matlab_rounds_8_bits_between_the_axes(scale):
    scene = (torch.rand(1, 1, 24, 30, generator=torch.Generator().manual_seed(1)) * 255).round() / 255
    generator = torch.Generator()
    once, twice = (parse_chain(name, scale).apply(scene, scale, "", generator) for name in ("bicubic", "bicubic-uint8"))
    vertical, horizontal = as_pair(scale)
    levels = scene.double() * 255
    for axis, factor in sorted([(-2, vertical), (-1, horizontal)], key=lambda pair: -pair[1]):
        factors = (1 / factor, 1) if axis == -2 else (1, 1 / factor)
        levels = (resize(levels, factors) + 0.5).floor().clamp(0, 255)
    assert torch.equal((twice.lr * 255).round(), levels.float())
    assert twice.degradation.kernel is None
    difference = ((twice.lr - once.lr) * 255).abs()
    assert 0 < float((difference > 0.5).float().mean()) < 0.5 and difference.max() < 1.5
