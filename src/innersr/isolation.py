"""PyTorch's settings, fixed during a computation whatever the caller has set, and restored afterwards."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

from innersr.errors import InnersrError, InputError

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")


@contextlib.contextmanager
def isolation() -> Iterator[None]:
    """Context with gradients, float32 on the CPU as the default, and exact, deterministic CUDA convolutions.

    Autocast and inference mode are off. Some settings belong to the thread, others to the process: several threads may
    be inside at once, and the last one to leave restores what the first one found. A nested context does nothing.

    Raises:
        InnersrError: in a forked process whose parent has computed: it would wait for ever for threads that it lacks.
    """
    if _thread.is_isolated:
        yield
        return
    _process.check()
    with contextlib.ExitStack() as stack:
        _thread.is_isolated = True
        stack.callback(setattr, _thread, "is_isolated", False)
        stack.enter_context(_process.applied())
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for device in ("cpu", "cuda", "mps", "xpu"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield


def isolated(function: Callable[Parameters, Returned]) -> Callable[Parameters, Returned]:
    """Decorate a function of images to run in `isolation`.

    Tensors that it is given, also in lists and tuples, become float32 if they are floating, and lose their history.

    Raises:
        InputError: when it is called with a tensor that is not dense: meta, sparse, nested or quantized.
    """

    @functools.wraps(function)
    def run_isolated(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Returned:
        with isolation():
            return function(*_plain(args), **{name: _plain(value) for name, value in kwargs.items()})

    return run_isolated


def unrounded(function: Callable[Parameters, Returned]) -> Callable[Parameters, Returned]:
    """Decorate a function to compute in the dtype of its first argument, a tensor, even under autocast."""

    @functools.wraps(function)
    def run_unrounded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Returned:
        x = args[0]
        if not (isinstance(x, Tensor) and torch.is_autocast_enabled(x.device.type)):
            return function(*args, **kwargs)
        with torch.autocast(x.device.type, enabled=False):
            return function(*args, **kwargs)

    return run_unrounded


def require_tensor(x: Tensor) -> Tensor:
    """The tensor itself; `InputError` with a remedy where an array or a path takes its place."""
    if not isinstance(x, Tensor):
        remedy = "innersr.upscale takes arrays and paths, innersr.read(path).colour is the tensor of a file"
        raise InputError(f"an image is a tensor here, (N, C, H, W) in [0, 1], got {type(x).__name__}; {remedy}")
    return x


def require_dense(x: Tensor) -> Tensor:
    """The tensor itself; `InputError` with a remedy if it is no tensor, or meta, sparse, nested or quantized."""
    if require_tensor(x).is_meta:
        raise InputError("a meta tensor has no values; give one on the CPU or a GPU")
    if x.is_nested:
        raise InputError("a nested tensor is not an image; give its tensors one by one")
    if x.is_quantized:
        raise InputError("a quantized tensor is not an image; give x.dequantize()")
    if x.layout is not torch.strided:
        raise InputError("a sparse tensor is not an image; give x.to_dense()")
    return x


def plain_tensor(x: Tensor) -> Tensor:
    """The tensor as learning can use it: without autograd history, and made outside inference mode.

    Raises:
        InputError: see `require_dense`.
    """
    x = require_dense(x).detach()
    return x.clone() if x.is_inference() else x


def is_finite(x: Tensor) -> bool:
    """Whether a tensor that is not empty holds neither NaN nor infinite values, without a mask as large as it."""
    least, most = torch.aminmax(x)  # which are NaN if any value is
    return bool(least.isfinite() & most.isfinite())


def _plain(value: Any) -> Any:  # noqa: ANN401 (returns the type that it is given)
    if type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    if not isinstance(value, Tensor):
        return value
    value = plain_tensor(value)
    return value.float() if value.is_floating_point() else value


class _Thread(threading.local):
    is_isolated = False


class _Process:
    """Settings that all threads share, and how many of them rely on them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._restore: list[Callable[[], None]] = []
        self._is_used = self._is_lost = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._lose)

    def check(self) -> None:
        if self._is_lost and torch.get_num_threads() > 1:
            raise InnersrError(
                "this process was forked from one that had computed with PyTorch, whose other threads it lacks; start "
                'it by spawn: multiprocessing.get_context("spawn"), or call torch.set_num_threads(1) in it'
            )
        self._is_used = True

    def _lose(self) -> None:
        self._lock = threading.Lock()
        self._is_lost = self._is_used

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        with self._lock:
            if self._users == 0:
                self._apply()
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    for restore in self._restore:
                        restore()

    def _apply(self) -> None:
        settings = _process_settings()
        found = [setting.read() for setting in settings]
        differing = [(setting, value) for setting, value in zip(settings, found, strict=True) if setting.differs(value)]
        self._restore = [functools.partial(setting.write, value) for setting, value in differing]
        for setting, _ in differing:
            setting.write(setting.value)


@dataclass(frozen=True)
class _Setting:
    """A setting of PyTorch, and its value while innersr computes."""

    get: Callable[[], Any]
    write: Callable[[Any], None]
    value: object

    def read(self) -> object:
        """Its value; None if PyTorch does not tell it, because older and newer settings contradict each other."""
        try:
            return self.get()
        except RuntimeError:
            return None

    def differs(self, found: object) -> bool:
        """Whether a value has to be changed. "none": fp32 is computed as such unless the user asks otherwise."""
        return found not in (None, self.value, "none")


def _process_settings() -> list[_Setting]:
    """Settings for float32, determinism, and fp32 that is not cut to TF32 or bf16, in the order to set and restore.

    The older ones of precision come first: they set newer ones too, and reading them is an error, for other threads
    as well, while the newer ones alone have been changed.
    """
    backends: Any = torch.backends
    cudnn, matmul = backends.cudnn, backends.cuda.matmul
    settings = [
        _Setting(torch.get_default_dtype, torch.set_default_dtype, torch.float32),
        _Setting(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "highest"),
        _attribute(cudnn, "allow_tf32", False),
        _attribute(cudnn, "enabled", True),
        _attribute(cudnn, "benchmark", False),
        _attribute(cudnn, "deterministic", True),
    ]
    if not hasattr(cudnn, "conv"):  # before PyTorch 2.9
        return [*settings, _attribute(matmul, "allow_tf32", False)]
    mkldnn = backends.mkldnn
    precise = (cudnn.conv, cudnn.rnn, matmul, mkldnn.conv, mkldnn.rnn, mkldnn.matmul)
    return settings + [_attribute(owner, "fp32_precision", "ieee") for owner in precise]


def _attribute(owner: Any, name: str, value: object) -> _Setting:  # noqa: ANN401 (an object of torch.backends)
    return _Setting(functools.partial(getattr, owner, name), functools.partial(setattr, owner, name), value)


_thread, _process = _Thread(), _Process()
