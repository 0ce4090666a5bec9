"""Computations do not depend on what the caller has set in PyTorch, and leave it as it was."""

import contextlib
import os
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from helpers import methods, singan, training
from helpers.singan import picture, trained
from innersr import (
    METHODS,
    Degradation,
    Image,
    InputError,
    KernelError,
    KernelGAN,
    consistency_psnr,
    examine,
    gaussian,
    imresize,
    learn_picture,
    load_picture_model,
    patch_distance,
    psnr,
    recurrence_of,
    save,
    ssim,
    upscale,
)
from innersr.isolation import isolated, isolation
from innersr.networks.checkpoints import load_checkpoint
from innersr.physics.resize import resize
from innersr.singan.animation import animate
from innersr.singan.fit import fit
from innersr.singan.manipulation import edit, harmonize, paint, quantized_paint
from innersr.singan.patches.inpainting import inpaint
from innersr.singan.patches.model import patch_model
from innersr.singan.patches.restyling import restyle
from innersr.singan.training.fine_tuning import fine_tune

RUN = methods.RUN
BF16 = replace(RUN, precision="bf16")
BLURRED = Degradation(scale=2, kernel=gaussian(1.5, size=7))


@contextlib.contextmanager
def default_dtype(dtype):
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextlib.contextmanager
def all_of(*contexts):
    with contextlib.ExitStack() as stack:
        for context in contexts:
            stack.enter_context(context)
        yield


SURROUNDINGS = {
    "no gradients, bfloat16": lambda: all_of(torch.no_grad(), default_dtype(torch.bfloat16)),
    "inference, float64": lambda: all_of(torch.inference_mode(), default_dtype(torch.float64)),
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
}


def image(channels=3, sides=(24, 20)):
    """Return an image made from integers, whatever the surroundings."""
    levels = np.random.default_rng(0).integers(0, 256, (1, channels, *sides)).astype(np.float32)
    return torch.tensor(levels / np.float32(255), device="cpu", dtype=torch.float32)


def half():
    """Return a mask of one half of the picture that `learned` has learned."""
    return (torch.arange(24, device="cpu") < 12).expand(1, 1, 20, 24).to(torch.float32)


def spot():
    """Return a mask of a few pixels of that picture."""
    marked = torch.arange(24, device="cpu") % 24 // 3 == 2
    return (marked & marked[:20, None]).expand(1, 1, 20, 24).to(torch.float32)


def learned():
    return trained(settings=singan.tiny(matching=1))


def seen():
    """Return the picture that `learned` has learned, made of float32 whatever the surroundings."""
    with isolation():
        return picture()


def exactly(numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def weights(model):
    return torch.cat([tensor.flatten() for scale in model.scales for layer in scale.layers for tensor in layer])


def trained_prior(folder):
    with isolation():  # the images of which are drawn
        session = training.session(folder, "supervised")
    session.learn()
    tensors = load_checkpoint(session.outputs.prior, "prior").tensors
    return torch.cat([tensors[name].flatten().float() for name in sorted(tensors)])


ENTRIES = {
    **{
        f"{name}, adapt": lambda _, name=name: methods.made(name).adapt(image(), Degradation(scale=2), RUN)(image())
        for name in METHODS
    },
    **{
        f"{name}, adapt in bf16": lambda _, name=name: methods.made(name).adapt(image(), Degradation(scale=2), BF16)(
            image()
        )
        for name in ("mzsr", "tailor", "zssr")
    },
    "upscale, tensor": lambda _: upscale(image(sides=(40, 36)), method=methods.made("tailor"), run=RUN),
    "upscale, array": lambda _: torch.from_numpy(upscale(image()[0, 0].numpy(), method=methods.made("zssr"), run=RUN)),
    "examine": lambda _: torch.tensor(
        [c.share for c in examine(image(1, (64, 64)), 2, RUN).candidates], dtype=torch.float64
    ),
    "KernelGAN": lambda _: unformed_kernel(),
    "recurrence": lambda _: exactly(recurrence_of(image(1, (40, 40))).score),
    "patch distance": lambda _: exactly(patch_distance(image(1, (40, 40)), image(1, (40, 40)).mT)),
    "imresize": lambda _: imresize(image(), 1.7),
    "degradation": lambda _: BLURRED(image()),
    "adjoint": lambda _: BLURRED.adjoint(image(), (48, 40)),
    "consistency": lambda _: torch.tensor(
        consistency_psnr(image(sides=(48, 40)), image(), BLURRED), dtype=torch.float64
    ),
    "SinGAN, fit": lambda _: weights(fit([seen()], singan.TINY, singan.RUN)),
    "SinGAN, fit in bf16": lambda _: weights(fit([seen()], singan.TINY, replace(singan.RUN, precision="bf16"))),
    "SinGAN, resume": lambda folder: weights(interrupted(folder)),
    "SinGAN, learn and load": lambda folder: reloaded(folder).sample(2),
    "SinGAN, sample": lambda _: learned().sample(2),
    "SinGAN, reconstruct": lambda _: learned().reconstruct(),
    "SinGAN, inject": lambda _: learned().inject(seen(), 1),
    "SinGAN, paint": lambda _: paint(learned(), seen(), 1, singan.RUN),
    "SinGAN, quantized paint": lambda _: quantized_paint(learned(), seen(), 1, singan.RUN, [seen()], colours=2),
    "SinGAN, edit": lambda _: edit(learned(), seen().flip(-1), half(), 1, singan.RUN, seen()).blended,
    "SinGAN, harmonize": lambda _: harmonize(learned(), seen().flip(-1), half(), 1, singan.RUN, seen()).blended,
    "SinGAN, fine-tune": lambda _: weights(fine_tune(learned(), seen(), [seen()], 1, singan.RUN, 2)),
    "SinGAN, animate": lambda _: torch.cat(list(animate(learned(), frames=2))),
    "patches, sample": lambda _: patch_model(seen(), singan.TINY).sample(),
    "patches, restyle": lambda _: restyle(patch_model(seen(), singan.TINY), seen().flip(-1)),
    "patches, inpaint": lambda _: inpaint(seen(), spot(), singan.TINY),
    "training": trained_prior,
}


def unformed_kernel():
    """Return what KernelGAN says of the kernel that it has after two steps, as numbers: its sum is in it."""
    with pytest.raises(KernelError) as caught:
        KernelGAN(steps=2, width=4).estimate(image(1, (40, 40)), 2, RUN)
    return torch.tensor(list(str(caught.value).encode()))


def interrupted(folder):
    asked = iter([False, False, False, False, True])
    fit([seen()], singan.TINY, singan.RUN, folder=folder / "model", should_stop=lambda: next(asked))
    return fit([seen()], singan.TINY, singan.RUN, folder=folder / "model", resume=True)


def reloaded(folder):
    learn_picture(image(), singan.TINY, run=RUN, folder=folder / "model")
    return load_picture_model(folder / "model", RUN)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    results = {}

    def result_of(entry):
        if entry not in results:
            results[entry] = ENTRIES[entry](tmp_path_factory.mktemp("usual"))
        return results[entry]

    return result_of


@pytest.mark.parametrize(
    ("entry", "surroundings"),
    [
        *((entry, "all at once") for entry in ENTRIES),
        # What undoes another one must not hide it; all entries are isolated by the same function.
        *((entry, one) for entry in ("zssr, adapt", "SinGAN, sample", "degradation") for one in SURROUNDINGS),
    ],
)
def test_the_result_is_that_of_the_usual_settings(expected, tmp_path, entry, surroundings):
    usual = expected(entry)
    with all_of(*(one() for name, one in SURROUNDINGS.items() if surroundings in (name, "all at once"))):
        found = ENTRIES[entry](tmp_path)
    assert found.dtype is usual.dtype and torch.equal(found, usual)


@pytest.mark.parametrize("name", METHODS)
def test_an_upscaler_is_called_in_other_surroundings_than_it_was_learned_in(name):
    upscaler = methods.made(name).adapt(image(), Degradation(scale=2), RUN)
    usual = upscaler(image())
    with all_of(*(surroundings() for surroundings in SURROUNDINGS.values())):
        assert torch.equal(upscaler(image()), usual)


def test_an_image_of_a_graph_is_learned_from_without_it():
    x = image().requires_grad_()
    usual = methods.made("zssr").adapt(image(), Degradation(scale=2), RUN)(image())
    assert torch.equal(methods.made("zssr").adapt(x, Degradation(scale=2), RUN)(x), usual)
    assert x.grad is None


WRONG = {
    "meta": lambda x: x.to("meta"),
    "sparse": lambda x: x[0].to_sparse(),
    "csr": lambda x: x[0, 0].to_sparse_csr(),
    "nested": lambda x: torch.nested.nested_tensor([x[0], x[0, :, 1:]], layout=torch.jagged),
    "quantized": lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.quint8),
}


@pytest.mark.filterwarnings("ignore:.*(Sparse CSR|prototype|deprecated).*")
@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(
    "function",
    [
        upscale,
        lambda x: methods.made("zssr").adapt(x, Degradation(scale=2), RUN),
        lambda x: methods.made("bicubic").adapt(image(), Degradation(scale=2), RUN)(x),
        lambda x: examine(x, 2, RUN),
        lambda x: KernelGAN().estimate(x, 2, RUN),
        lambda x: fit([x], singan.TINY, singan.RUN),
        lambda x: paint(learned(), x, 1, singan.RUN),
        recurrence_of,
        lambda x: psnr(x, x),
    ],
)
def test_a_tensor_that_is_no_array_of_numbers_is_refused(function, wrong):
    with pytest.raises(InputError, match=r"\b(meta|sparse|nested|quantized) tensor .*; give "):
        function(WRONG[wrong](image()))


@pytest.mark.parametrize("wrong", ["photo.png", np.zeros((8, 8, 3), np.uint8)], ids=["path", "array"])
@pytest.mark.parametrize(
    "function",
    [
        lambda x: examine(x, 2, RUN),
        lambda x: KernelGAN().estimate(x, 2, RUN),
        lambda x: resize(x, 2),
        recurrence_of,
        lambda x: psnr(x, x),
        lambda x: ssim(x, x),
        lambda x: consistency_psnr(x, x, Degradation(scale=2)),
        Degradation(scale=2),
    ],
    ids=["examine", "KernelGAN", "resize", "recurrence", "PSNR", "SSIM", "consistency", "degradation"],
)
def test_an_input_that_is_no_tensor_is_refused_with_a_remedy(function, wrong):
    with pytest.raises(InputError, match=r"an image is a tensor here, .* got (str|ndarray); innersr\.upscale takes"):
        function(wrong)


def global_settings():
    """Return all that PyTorch holds for the whole process, or for this thread, and that a computation could change."""
    backends = torch.backends
    owners = (backends.cudnn.conv, backends.cudnn.rnn, backends.cuda.matmul)
    owners += (backends.mkldnn.conv, backends.mkldnn.rnn, backends.mkldnn.matmul)
    return (
        *(owner.fp32_precision for owner in owners),
        backends.fp32_precision,
        *(backends.cudnn.enabled, backends.cudnn.benchmark, backends.cudnn.deterministic),
        *(torch.get_default_dtype(), torch.get_num_threads(), torch.get_rng_state().tolist()),
        *(torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")),
    )


@pytest.fixture
def unusual(request):
    """Set what a user may set; everything is as it was after the test."""
    cudnn = torch.backends.cudnn
    tf32 = cudnn.allow_tf32
    before = (cudnn.benchmark, cudnn.deterministic, cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision)
    request.param(cudnn)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)
    cudnn.allow_tf32 = tf32
    cudnn.benchmark, cudnn.deterministic, cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision = before


@pytest.mark.parametrize(
    "unusual",
    [
        lambda _: None,
        lambda cudnn: setattr(cudnn, "benchmark", True),
        lambda cudnn: setattr(cudnn, "deterministic", True),
        lambda cudnn: setattr(cudnn.conv, "fp32_precision", "ieee"),
        lambda cudnn: setattr(cudnn, "allow_tf32", False),
    ],
    indirect=True,
)
@pytest.mark.usefixtures("unusual")
def test_the_settings_of_the_process_are_given_back():
    before = global_settings()
    inside = []

    @isolated
    def compute():
        inside.append((torch.get_default_dtype(), torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark))
        inside.append(torch.backends.cudnn.conv.fp32_precision in ("ieee", "none"))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compute()
    assert inside == [(torch.float32, True, False), True]
    assert global_settings() == before


def test_the_settings_are_given_back_by_the_last_of_several_threads():
    before = global_settings()
    entered, may_leave = threading.Barrier(3), [threading.Event(), threading.Event()]
    inside = []

    def compute(number):
        with isolation():
            entered.wait()
            may_leave[number].wait()
            inside.append(torch.backends.cudnn.deterministic)

    threads = [threading.Thread(target=compute, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    entered.wait()
    for event, thread in zip(may_leave, threads, strict=True):  # the first one in is the first one out
        assert torch.backends.cudnn.deterministic
        event.set()
        thread.join()
    assert inside == [True, True]
    assert global_settings() == before


def test_low_precision_products_of_the_process_do_not_round_a_result(expected):
    usual = expected("zssr, adapt")
    torch.set_float32_matmul_precision("medium")
    try:
        assert torch.equal(ENTRIES["zssr, adapt"](None), usual)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.parametrize("name", ["tailor", "zssr", "mzsr", "singan"])
def test_an_exception_in_a_callback_is_raised_and_changes_nothing(tmp_path, name):
    class StopError(Exception):
        pass

    def report(_):
        raise StopError

    before = global_settings()
    save(Image(colour=image()), tmp_path / "a.png")
    with pytest.raises(StopError):
        upscale(
            tmp_path / "a.png",
            method=methods.made(name),
            degradation=Degradation(scale=2),
            output=tmp_path / "b.png",
            run=replace(RUN, report=report),
        )
    assert global_settings() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("precision", ["highest", "high", "medium"])
def test_older_settings_of_precision_are_readable_meanwhile_and_restored(precision):
    torch.set_float32_matmul_precision(precision)
    try:
        before = older_settings(), global_settings()
        with isolation():
            assert older_settings() == (False, False, "highest")
        assert (older_settings(), global_settings()) == before
    finally:
        torch.set_float32_matmul_precision("highest")


def older_settings():
    """Return settings that are an error to read while newer ones contradict them."""
    backends = torch.backends
    return backends.cudnn.allow_tf32, backends.cuda.matmul.allow_tf32, torch.get_float32_matmul_precision()


def test_new_tensors_are_on_the_cpu_whatever_the_default_device():
    with torch.device("meta"), isolation():
        assert torch.zeros(1).device.type == "cpu"


FORKED = """
import os
import signal
import numpy as np
import torch
from innersr import Bicubic, InnersrError, examine, upscale

torch.set_num_threads(2)
picture = np.random.default_rng(0).random((96, 96, 3), np.float32)

def attempt(name, function):
    try:
        function()
        print(name, "works", flush=True)
    except InnersrError as error:
        print(name, error, flush=True)

def enlarge():
    upscale(picture, method=Bicubic())

if "used":
    enlarge()
child = os.fork()
if child == 0:
    signal.alarm(20)
    attempt("upscale", enlarge)
    attempt("examine", lambda: examine(torch.from_numpy(picture).movedim(-1, 0)[None], 2))
    torch.set_num_threads(1)
    attempt("by one thread", enlarge)
    os._exit(0)
os.waitpid(child, 0)
attempt("parent", enlarge)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_process_says_to_spawn_where_it_would_wait_for_threads_that_it_lacks():
    command = [sys.executable, "-W", "ignore", "-c", FORKED]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    upscaled, examined, *others = ended.stdout.splitlines()
    assert upscaled.startswith("upscale this process was forked") and 'get_context("spawn")' in upscaled
    assert examined.startswith("examine this process was forked")
    assert others == ["by one thread works", "parent works"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_process_forked_before_any_computation_works():
    command = [sys.executable, "-W", "ignore", "-c", FORKED.replace('if "used"', "if False")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.splitlines() == ["upscale works", "examine works", "by one thread works", "parent works"]
