"""What a GPU refuses, checked without one: tensors of two devices in one operation."""

from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves


class OneDevice(TorchFunctionMode):
    """Raises where an operation is handed tensors of several devices; numbers, (), and moves are free.

    The meta device, which computes no values, stands for the GPU: several of its own operations do not check.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        given = [x for x in tree_leaves((args, kwargs or {})) if isinstance(x, Tensor) and x.ndim]
        devices = {str(x.device) for x in given}
        if len(devices) > 1 and getattr(func, "__name__", "") not in ("to", "copy_", "type_as"):
            raise AssertionError(f"{getattr(func, '__name__', func)} is handed tensors of {sorted(devices)}")
        return func(*args, **(kwargs or {}))
