"""Blur kernels on disk.

Reads MATLAB (.mat; version 7.3 where h5py is installed), NumPy (.npy, .npz), text (.txt, .csv) and grey images (.png,
.tif); writes all but .npz. A file with several kernels, as a cell array, a stack or several variables, needs a
number or the name of a variable: `kernels.mat#3` is the third one, counted from 1, `kernels.npz#blur` that called blur.

Knows nothing about how a kernel is applied: weights are neither flipped nor shifted. A file that holds no
usable kernel is always a `KernelError`; there is no fallback.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyvips
import torch
from numpy.typing import NDArray
from torch import Tensor

from innersr.atomic import whole_file
from innersr.errors import KernelError, KernelFileError, cannot_write, exists_already
from innersr.libvips import libvips_alone
from innersr.physics.kernels import normalised
from innersr.physics.matlab_files import matrix_file, read_matrices

MAX_SIDE = 127  # taps; a wider blur leaves nothing of an image to learn from
MAX_BYTES = 16 << 20  # of a file, and of its compressed variables once expanded
Stack = NDArray[Any]  # (kh, kw, n): n kernels of one size
Variables = list[tuple[str, list[Stack]]]  # what a file holds, in its order
Codec = TypeVar("Codec")


def load_kernel(path: str | Path) -> Tensor:
    """Load a blur kernel: (kh, kw) float32 of sum 1, neither flipped nor shifted.

    Args:
        path: may end in `#N`, for its Nth kernel, or in `#NAME`, for a variable; a file whose own name ends so is read
            as it is. Of a .mat file the variable `kernel` (or `Kernel`) is read where there is one, otherwise every
            numeric array. The values of an image are weights, without any gamma.

    Raises:
        KernelError: the file is missing, damaged, of another type, or holds several kernels and no number was given;
            or the kernel is empty, not two-dimensional, not finite, above 127x127, or sums to zero or less.
    """
    try:
        file, choice = _split_choice(path)
        variables = _read_variables(file)
        if isinstance(choice, str):
            variables, choice = _named(variables, choice), None
        return _usable(_pick(variables, choice))
    except KernelError as error:
        raise KernelFileError(f"{path}: {error}") from error
    except (OSError, ValueError, OverflowError, MemoryError, struct.error, zlib.error, pyvips.Error) as error:
        # What the decoders raise on bytes that are not theirs.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise KernelFileError(f"{path}: cannot be read as a blur kernel ({reason}); save it again") from error


def check_may_be_file(text: str, names: str) -> None:
    """Raise KernelError, with the `names` of kernels, for what is neither a file nor the name of one."""
    suffix = Path(text).suffix.partition("#")[0].lower()
    if suffix not in _DECODERS and not os.path.exists(text):  # noqa: PTH110 (Path.exists raises OSError)
        files = f"a file ({' '.join(_DECODERS)})"
        raise KernelError(f"there is no kernel {text!r}; give {names}, or {files}")


def save_kernel(kernel: Tensor, path: str | Path, *, overwrite: bool = False) -> None:
    """Save a kernel, normalised to sum 1, in the format of the suffix of `path`.

    .mat (variable `Kernel`), .npy, .txt, .csv and .tif keep every bit; .png keeps 16 bits of the largest weight.

    The file appears complete or not at all.

    Raises:
        KernelError: the kernel is unusable (as in `load_kernel`), a .png is asked for negative weights, or the file
            exists (unless `overwrite`), has another suffix or cannot be written.
    """
    path = check_kernel_writable(path, overwrite=overwrite)
    try:
        weights = torch.as_tensor(kernel).detach().to("cpu", torch.float64).numpy()
        data = _ENCODERS[path.suffix.lower()](_usable(weights).numpy())
        with whole_file(path, overwrite=overwrite) as partial:
            partial.write_bytes(data)
    except KernelError as error:
        raise KernelError(f"{path}: {error}") from error
    except FileExistsError as error:
        raise KernelFileError(exists_already(path)) from error
    except OSError as error:
        raise KernelFileError(cannot_write(path, error.strerror)) from error


def check_kernel_writable(path: str | Path, *, overwrite: bool = False) -> Path:
    """Check a path before the work, with the errors that `save_kernel` would raise after it, and return it."""
    path = Path(path)
    try:
        _look_up(_ENCODERS, path.suffix, "written as")
    except KernelError as error:
        raise KernelError(f"{path}: {error}") from error
    if not overwrite and (path.exists() or path.is_symlink()):
        raise KernelFileError(exists_already(path))
    if not path.parent.is_dir():
        raise KernelFileError(f"{path}: cannot be written, as the folder {path.parent} does not exist; create it first")
    return path


def kernel_file(path: str | Path) -> Path:
    """The file that `load_kernel` reads for a path, which may end in `#N` or `#NAME`."""
    return _split_choice(path)[0]


def _split_choice(path: str | Path) -> tuple[Path, int | str | None]:
    """Separate `FILE#3` into the file and 3, `FILE#blur` into the file and blur."""
    match = re.fullmatch(r"(.+)#([0-9]{1,9}|[A-Za-z_]\w{0,62})", str(path))
    if match is None or Path(path).is_file():
        return Path(path), None
    return Path(match[1]), int(match[2]) if match[2].isdigit() else match[2]


def _named(variables: Variables, name: str) -> Variables:
    found = [(own, stacks) for own, stacks in variables if own == name]
    if not found:
        raise KernelError(f"holds no variable {name!r}; there are {', '.join(own for own, _ in variables) or 'none'}")
    return found


def _look_up(codecs: dict[str, Codec], suffix: str, use: str) -> Codec:
    codec = codecs.get(suffix.lower())
    if codec is None:
        raise KernelError(f"kernels are {use} {' '.join(codecs)}, got '{suffix}'; use one of these suffixes")
    return codec


def _read_variables(file: Path) -> Variables:
    if not file.is_file():
        raise KernelError("no such file; give the path of a blur kernel")
    decode = _look_up(_DECODERS, file.suffix.partition("#")[0], "read from")
    if file.stat().st_size > MAX_BYTES:
        raise KernelError(f"the file is larger than {MAX_BYTES >> 20} MiB; save the kernel alone")
    return decode(file.read_bytes())


def _pick(variables: Variables, number: int | None) -> NDArray[Any]:
    """The kernel of this number, or the only one."""
    named = [(name, stacks) for name, stacks in variables if name.lower() == "kernel"]
    # A lone number beside the kernel is a scale or a width, not a kernel of one tap.
    others = [(name, stacks) for name, stacks in variables if sum(stack.size for stack in stacks) > 1]
    candidates = named or others
    stacks = [stack for _, stacks in candidates for stack in stacks]
    count = sum(stack.shape[2] for stack in stacks)
    if count == 0:
        raise KernelError("holds no kernel; save it as a numeric matrix named 'kernel'")
    if number is None and count > 1:
        names = ", ".join(name for name, _ in candidates)
        raise KernelError(f"holds {count} kernels (in {names}); append #1 to #{count}, or #NAME, to choose one")
    index = 0 if number is None else number - 1
    if not 0 <= index < count:
        raise KernelError(f"holds {count} kernel(s), numbered from #1; choose up to #{count}")
    for stack in stacks[:-1]:
        if index < stack.shape[2]:
            return stack[:, :, index]
        index -= stack.shape[2]
    return stacks[-1][:, :, index]


def _usable(kernel: NDArray[Any]) -> Tensor:
    """The weights as a (kh, kw) float32 tensor of sum 1; `KernelError` if they are not a usable kernel."""
    if kernel.ndim != 2:
        raise KernelError(f"a kernel has 2 dimensions, got shape {kernel.shape}; save one matrix")
    rows, columns = kernel.shape
    if kernel.size == 0:
        raise KernelError(f"the kernel is empty ({rows}x{columns}); save the matrix of its weights")
    if max(rows, columns) > MAX_SIDE:
        raise KernelError(f"kernel is {rows}x{columns}, at most {MAX_SIDE}x{MAX_SIDE}; crop it")
    if kernel.dtype.kind not in "buif":
        raise KernelError(f"weights must be real numbers, got {kernel.dtype}; save a numeric matrix")
    weights = kernel.astype(np.float64, order="C")
    if not np.isfinite(weights).all():
        raise KernelError("the kernel holds NaN or infinity; save finite weights")
    largest = float(np.abs(weights).max())
    if largest == 0:
        raise KernelError("every weight of the kernel is zero; save a blur, which sums above 0")
    relative = weights / largest  # keeps the sum of extreme weights finite
    total = float(relative.sum())
    # Below a thousandth of their magnitudes, the sum is what rounding left of weights that cancel.
    if total <= 1e-3 * np.abs(relative).sum():
        raise KernelError(f"the kernel sums to {total * largest:.3g}, a blur sums above 0; check its signs")
    # A kernel that sums to 1 already keeps its bits, so that saving and loading change nothing.
    if abs(total * largest - 1) <= 1e-6:
        return torch.from_numpy(weights).float()
    return normalised(torch.from_numpy(relative))


def _decode_npy(data: bytes) -> Variables:
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read_header(stream)
        if math.prod(shape) * kind.itemsize > len(data):  # before memory is taken for it
            raise ValueError(f"is cut short, or not of the shape {shape}")
        array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # the header is parsed as Python source, which can fail in any way
        raise ValueError(str(error)) from error
    if array.ndim < 2:
        raise KernelError(f"a kernel has 2 dimensions, got shape {array.shape}; save one matrix")
    stack = array.reshape(math.prod(array.shape[:-2]), *array.shape[-2:])
    return [("kernel", [np.moveaxis(stack, 0, 2)])]


def _decode_npz(data: bytes) -> Variables:
    """The arrays of two dimensions or more."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            entries = arrays.zip.infolist()
            if sum(entry.file_size for entry in entries) > MAX_BYTES:
                raise ValueError(f"holds more than {MAX_BYTES >> 20} MiB")
            members = {entry.filename.removesuffix(".npy"): arrays.zip.read(entry) for entry in entries}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, AttributeError, TypeError) as error:
        raise ValueError(str(error)) from error  # the last two of an array alone, which is no archive
    found = []
    for name, content in members.items():
        with contextlib.suppress(KernelError):  # of one dimension, as a scale is
            found += [(name, stacks) for _, stacks in _decode_npy(content)]
    return found


def _encode_npy(weights: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, weights, allow_pickle=False)
    return buffer.getvalue()


_AMBIGUOUS_COMMAS = "its commas may separate numbers or be decimal points; write 0.25 0.5, and a row per line"


def _decode_text(data: bytes) -> Variables:
    """Read one row per line; commas, semicolons, tabs and spaces separate; # starts a comment.

    Where semicolons, or tabs and spaces alone, separate numbers, a comma is their decimal point, as in many languages.
    """
    most = 1 << 20  # bytes; 127x127 weights with all their digits have 400 KB
    if len(data) > most:
        raise KernelError("the text is larger than 1 MiB; save the kernel alone")
    lines = [line.partition("#")[0].strip() for line in data.decode("utf-8-sig").splitlines()]
    lines = [line for line in lines if line]
    text = "\n".join(lines)
    has_other_separator = ";" in text or any(re.search(r"[^,\s]\s+[^,\s]", line) for line in lines)
    if "," in text and has_other_separator and "." not in text:
        fields = re.split(r"\s*;\s*|\s+", text)
        is_decimal = all(re.fullmatch(r"[-+]?\d*(,\d+([eE][-+]?\d+)?)?", field) for field in fields)
        if not is_decimal or (";" in text and len(lines) == 1):
            raise KernelError(_AMBIGUOUS_COMMAS)
        lines = [line.replace(",", ".") for line in lines]
    elif ";" in text and "," in text:
        raise KernelError("it mixes commas and semicolons; write 0.25 0.5, and a row per line")
    elif lines and all(re.fullmatch(r"0,\d+(,0,\d+)*", re.sub(r"\s", "", line)) for line in lines):
        raise KernelError(_AMBIGUOUS_COMMAS)
    rows = [[float(number) for number in re.split(r"\s*[,;]\s*|\s+", line)] for line in lines]
    if len({len(row) for row in rows}) > 1:
        raise ValueError("its rows are not equally long")
    return [("kernel", [np.array(rows, dtype=np.float64, ndmin=2)[:, :, None]])]


def _encode_text(weights: NDArray[Any], separator: str = " ") -> bytes:
    # Nine digits give every float32 back.
    return "".join(separator.join(f"{weight:.9g}" for weight in row) + "\n" for row in weights).encode()


@libvips_alone()
def _decode_tiff(data: bytes) -> Variables:
    return _grey(pyvips.Image.tiffload_buffer(data, fail_on="error"))


@libvips_alone()
def _decode_png(data: bytes) -> Variables:
    return _grey(pyvips.Image.pngload_buffer(data, fail_on="error"))


def _grey(image: pyvips.Image) -> Variables:
    if max(image.width, image.height) > MAX_SIDE:  # before a pixel is decoded
        raise KernelError(f"kernel is {image.height}x{image.width}, at most {MAX_SIDE}x{MAX_SIDE}; crop it")
    if image.get_n_pages() > 1:
        raise KernelError("has several pages; save the page of the kernel alone")
    pixels = image.numpy().reshape(image.height, image.width, image.bands)
    if image.hasalpha():
        if np.ptp(pixels[:, :, -1]):
            raise KernelError("is partly transparent; save it without transparency")
        pixels = pixels[:, :, :-1]
    if (pixels[:, :, 1:] != pixels[:, :, :1]).any():
        raise KernelError("is coloured; save it as a grey image")
    return [("kernel", [pixels[:, :, :1]])]


@libvips_alone()
def _encode_png(weights: NDArray[Any]) -> bytes:
    if weights.min() < 0:
        raise KernelError("a .png cannot hold the negative weights of this kernel; save it as .npy")
    levels = np.rint(weights / weights.max() * 65535).astype(np.uint16)
    return bytes(pyvips.Image.new_from_array(levels, interpretation="grey16").pngsave_buffer(bitdepth=16, keep="none"))


@libvips_alone()
def _encode_tiff(weights: NDArray[Any]) -> bytes:
    return bytes(pyvips.Image.new_from_array(weights, interpretation="b-w").tiffsave_buffer(keep="none"))


_DECODERS: dict[str, Callable[[bytes], Variables]] = {
    ".mat": lambda data: read_matrices(data, room=MAX_BYTES),
    ".npy": _decode_npy,
    ".npz": _decode_npz,
    ".txt": _decode_text,
    ".csv": _decode_text,
    ".png": _decode_png,
    ".tif": _decode_tiff,
    ".tiff": _decode_tiff,
}


_ENCODERS: dict[str, Callable[[NDArray[Any]], bytes]] = {
    ".mat": lambda weights: matrix_file("Kernel", weights),
    ".npy": _encode_npy,
    ".txt": _encode_text,
    ".csv": partial(_encode_text, separator=","),
    ".png": _encode_png,
    ".tif": _encode_tiff,
    ".tiff": _encode_tiff,
}
