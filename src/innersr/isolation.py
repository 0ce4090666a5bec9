"""PyTorch's settings for a computation, whatever the caller has set, and given back afterwards."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

from innersr.errors import InputError

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")


@contextlib.contextmanager
def isolation() -> Iterator[None]:
    """Context with gradients, float32 on the CPU as the default, and exact, deterministic CUDA convolutions.

    Autocast and inference mode are off. These belong to the thread, or to the process: then several threads may be
    inside at once, and the last one that leaves gives back what the first one found. Within it, another one does
    nothing.
    """
    if _thread.is_isolated:
        yield
        return
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
    """Decorate a function whose first argument is a tensor to compute in its dtype, also under autocast."""

    @functools.wraps(function)
    def run_unrounded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Returned:
        x = args[0]
        if not (isinstance(x, Tensor) and torch.is_autocast_enabled(x.device.type)):
            return function(*args, **kwargs)
        with torch.autocast(x.device.type, enabled=False):
            return function(*args, **kwargs)

    return run_unrounded


def plain_tensor(x: Tensor) -> Tensor:
    """A tensor that learning may use: without history, and made outside inference mode.

    Raises:
        InputError: it is not dense: meta, sparse, nested or quantized.
    """
    if x.is_meta:
        raise InputError("a meta tensor has no values; give one on the CPU or a GPU")
    if x.is_nested:
        raise InputError("a nested tensor is no image; give its tensors one by one")
    if x.is_quantized:
        raise InputError("a quantized tensor is no image; give x.dequantize()")
    if x.layout is not torch.strided:
        raise InputError("a sparse tensor is no image; give x.to_dense()")
    x = x.detach()
    return x.clone() if x.is_inference() else x


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
        self._restore = contextlib.ExitStack()

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
                    self._restore.close()

    def _apply(self) -> None:
        if torch.get_default_dtype() is not torch.float32:
            self._restore.callback(torch.set_default_dtype, torch.get_default_dtype())
            torch.set_default_dtype(torch.float32)
        for owner, name, wanted in _backend_settings():
            found = getattr(owner, name)
            if found not in (wanted, "none"):  # "none": fp32 is computed as such unless the user asks otherwise
                self._restore.callback(setattr, owner, name, found)
                setattr(owner, name, wanted)


def _backend_settings() -> list[tuple[Any, str, Any]]:
    """Objects of `torch.backends`, their attributes and values: deterministic, and fp32 not cut to TF32 or bf16."""
    backends: Any = torch.backends
    cudnn = backends.cudnn
    settings = [(cudnn, "enabled", True), (cudnn, "benchmark", False), (cudnn, "deterministic", True)]
    if not hasattr(cudnn, "conv"):  # before PyTorch 2.9
        return [*settings, (cudnn, "allow_tf32", False), (backends.cuda.matmul, "allow_tf32", False)]
    mkldnn = backends.mkldnn
    precise = (cudnn.conv, cudnn.rnn, backends.cuda.matmul, mkldnn.conv, mkldnn.rnn, mkldnn.matmul)
    return [*settings, *((owner, "fp32_precision", "ieee") for owner in precise)]


_thread, _process = _Thread(), _Process()
