"""Free and peak memory of a device; errors that mean that it ran out."""

from __future__ import annotations

import contextlib
from pathlib import Path

import torch

from innersr.control_groups import free_bytes

UNKNOWN = 2**30  # bytes, assumed to be free where the system does not say
PROC = Path("/proc")


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
