"""Free and peak memory of a device; errors that mean that it ran out; freed memory that a process keeps."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import sys
from pathlib import Path

import torch

from innersr.control_groups import free_bytes

UNKNOWN = 2**30  # bytes, assumed to be free where the system does not say
PROC = Path("/proc")
KEPT = 256 * 2**20  # bytes of freed memory that a process of ours keeps
LARGEST_KEPT = 64 * 2**20  # bytes of a block; larger ones go back to the system. Feature maps of a tile have 32 MiB


def reset_peak_memory(device: torch.device) -> bool:
    """Reset the peak; return whether this system can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return True
    with contextlib.suppress(OSError):  # not Linux, or a container that hides it
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return True
    return False


def peak_memory(device: torch.device) -> int | None:
    """Peak of device memory, or of this process's resident memory, which includes Python and torch."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    return _kibibytes(status, "VmHWM") if status.exists() else None


def free_memory(device: torch.device) -> int:
    """Free bytes of a device: on a CPU the least that the system, its container and the process's limit leave."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached
    amounts = (_free_in_system(), free_bytes(), _free_in_address_space())
    return min((amount for amount in amounts if amount is not None), default=UNKNOWN)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out. Except for CUDA, torch raises plain RuntimeErrors."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    words = ("allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED", "bad_alloc", "start new thread")
    text = str(error)
    of_convolutions = text.startswith("could not create a primitive") and "descriptor" not in text  # by oneDNN
    return isinstance(error, RuntimeError) and (of_convolutions or any(each in text for each in words))


def release_cached_memory(device: torch.device) -> None:
    """Release the memory that torch caches."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


@functools.cache
def reuse_freed_memory() -> None:
    """Have this process keep freed memory for its next blocks, in huge pages where the system has them.

    By default glibc gives blocks as large as feature maps back, and the system clears every page before it hands it out
    again, which takes as long as the convolutions. The setting is the whole process's, and lasts: the command and its
    workers make it, `upscale` does not. Other C libraries are left as they are.
    """
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        return
    trim_threshold, top_padding, mmap_threshold = -1, -2, -3  # malloc.h
    library.mallopt(mmap_threshold, LARGEST_KEPT)
    library.mallopt(trim_threshold, KEPT + KEPT // 4)
    library.mallopt(top_padding, KEPT)
    library.malloc.argtypes, library.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    library.free.argtypes = [ctypes.c_void_p]
    library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    blocks = [library.malloc(LARGEST_KEPT // 2) for _ in range(2 * KEPT // LARGEST_KEPT)]  # neighbours on the heap
    page, huge_pages = 2**21, 14  # MADV_HUGEPAGE of mman.h
    for block in filter(None, blocks):  # none where the address space is limited
        start = -(-block // page) * page
        library.madvise(start, block + LARGEST_KEPT // 2 - start, huge_pages)
    for block in filter(None, blocks):
        library.free(block)


def _free_in_system() -> int | None:
    with contextlib.suppress(OSError, KeyError, ValueError):  # not Linux
        return _kibibytes(PROC / "meminfo", "MemAvailable")
    return None


def _kibibytes(table: Path, name: str) -> int:
    """Bytes of a row in a table of /proc, which counts KiB."""
    rows = dict(line.split(":", 1) for line in table.read_text(encoding="ascii").splitlines())
    return int(rows[name].split()[0]) * 1024


def _free_in_address_space() -> int | None:
    """Bytes that the process may still address, where `ulimit -v` sets a limit."""
    with contextlib.suppress(ImportError, OSError, KeyError, ValueError):  # not Unix, or not Linux
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            return max(0, limit - _kibibytes(Path("/proc/self/status"), "VmSize"))
    return None
