"""A second device without a GPU: tensors of the CPU that are marked, and a rule that lets them meet no others.

What torch refuses on a GPU is refused here: an operation on tensors of two devices, a CPU generator for draws on
another device, NumPy of what is not on the CPU. As in torch, numbers without axes and CPU indices may meet any device,
and copies go anywhere. What torch computes by itself, as gradients, is not looked at.
"""

from __future__ import annotations

from itertools import chain

import torch
from torch.overrides import TorchFunctionMode

from innersr.run import Run

DEVICE = torch.device("xpu")  # named like one that this machine lacks: what reaches torch fails
COPIES = {"copy_", "__setitem__", "_has_compatible_shallow_copy_type"}
INDEXING = {"__getitem__", "index", "index_put", "index_put_"}
TO_NUMPY = {"numpy", "__array__"}


class OtherDeviceError(AssertionError):
    """Tensors of two devices met."""


def is_there(x):
    """Whether a tensor is on the second device."""
    return getattr(x, "_is_on_second_device", False)


def mark(x, there=True):
    """Mark all tensors in a result as being on the second device, or not."""
    for tensor in tensors_in(x):
        tensor._is_on_second_device = there
    return x


def tensors_in(x):
    """All tensors in nested lists, tuples and dicts."""
    if isinstance(x, torch.Tensor):
        return [x]
    if isinstance(x, dict):
        x = x.values()
    elif not isinstance(x, list | tuple):
        return []
    return [*chain.from_iterable(map(tensors_in, x))]


class SecondDevice(TorchFunctionMode):
    """While it is entered, runs on DEVICE work, and mixing its tensors with others raises OtherDeviceError."""

    def __init__(self, monkeypatch):
        super().__init__()
        monkeypatch.setattr("innersr.run._check_device", lambda _: None)
        made = torch.nn.Parameter.__new__

        def parameter(kind, data=None, requires_grad=True):
            return mark(made(kind, data, requires_grad), is_there(data))

        monkeypatch.setattr(torch.nn.Parameter, "__new__", staticmethod(parameter))  # which tells no mode
        self.moved = 0  # tensors that came to the device

    def __torch_function__(self, func, types, args=(), kwargs=None):  # noqa: ARG002
        kwargs = dict(kwargs or {})
        own = {"__get__": self._attribute, "__set__": self._set, "to": self._moved, "cpu": self._fetched}
        call = own.get(func.__name__, self._computed)
        with torch._C.DisableTorchFunction():
            return call(func, *args, **kwargs)

    def _computed(self, func, *args, **kwargs):
        name = func.__name__
        if name in TO_NUMPY and is_there(args[0]):
            raise OtherDeviceError(f"{name} of a tensor that is not on the CPU; call cpu() first")
        device = kwargs.get("device")
        is_made_there = device is not None and torch.device(device) == DEVICE
        if is_made_there:
            kwargs["device"] = "cpu"
        if is_made_there and kwargs.get("generator") is not None:
            raise OtherDeviceError(f"{name}: the generator is on the CPU, the tensor is not")
        operands = tensors_in([args, kwargs])
        there = [tensor for tensor in operands if is_there(tensor)]
        self._check(name, args, operands, there)
        result = func(*args, **kwargs)
        goes_there = is_there(args[0]) if name in COPIES else bool(there) and device is None
        return mark(result) if is_made_there or goes_there else result

    def _fetched(self, func, x):
        return x.clone() if is_there(x) else func(x)

    def _set(self, func, x, value):
        func(x, value)
        if func == torch.Tensor.data.__set__:
            mark([x], is_there(value))

    def _attribute(self, func, x, owner=None):  # noqa: ARG002
        if func == torch.Tensor.device.__get__ and is_there(x):
            return DEVICE
        result = func(x)
        return mark(result) if is_there(x) else result

    def _moved(self, _func, x, *args, **kwargs):
        """Like Tensor.to."""
        wanted = DEVICE if is_there(x) else torch.device("cpu")
        others = []
        for value in (*args, kwargs.pop("device", None), kwargs.pop("other", None)):
            if isinstance(value, torch.Tensor):
                wanted = DEVICE if is_there(value) else torch.device("cpu")
                others.append(value.dtype)
            elif isinstance(value, torch.device | str):
                wanted = torch.device(value)
            elif isinstance(value, torch.dtype):
                others.append(value)
        result = torch.Tensor.to(x, *others, **kwargs) if others or kwargs else x
        if (wanted == DEVICE) != is_there(x):
            self.moved += wanted == DEVICE
            result = result.clone()
        return mark(result) if wanted == DEVICE else result

    def _check(self, name, args, operands, there):
        apart = [tensor for tensor in operands if not is_there(tensor) and tensor.ndim > 0]
        if not there or not apart or name in COPIES:
            return
        if name in INDEXING and is_there(args[0]):
            return
        sizes = [tuple(tensor.shape) for tensor in (there[0], apart[0])]
        raise OtherDeviceError(f"{name}: a tensor of {sizes[0]} on {DEVICE} meets one of {sizes[1]} on the CPU")


def run_there(**settings):
    """A run on the second device, in fp32."""
    return Run(device=str(DEVICE), precision="fp32", **settings)
