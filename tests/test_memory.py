"""How much memory is free, and whether it has run out."""

import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from innersr import control_groups, memory
from innersr.memory import UNKNOWN, free_memory, is_out_of_memory

CPU = torch.device("cpu")
FAULTS = """
import resource, torch
from innersr.memory import reuse_freed_memory

def faults():
    start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        a = torch.ones(2**21)
        b = a + 1
        c = b + 1
        del a, b, c
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - start

before = faults()
reuse_freed_memory()
faults()
print(before, faults())
"""
MEMINFO = (
    "MemTotal:       16000000 kB\nMemFree:          100000 kB\nMemAvailable:    3000000 kB\nHugePages_Total:       0\n"
)


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A system that says nothing, until files are written: system("memory.max", text)."""
    monkeypatch.setattr(memory, "PROC", tmp_path)
    monkeypatch.setattr(control_groups, "ROOT", tmp_path)

    def write(name, text):
        path = tmp_path / (name if name == "meminfo" else f"sys/fs/cgroup/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return write


def test_the_c_library_is_set_to_keep_memory_and_every_block_is_freed(monkeypatch):
    told, blocks, advised = {}, set(), []

    class Library:
        mallopt = staticmethod(told.__setitem__)
        free = staticmethod(blocks.remove)
        madvise = staticmethod(lambda start, length, advice: advised.append((start, length, advice)))

        @staticmethod
        def malloc(_):
            blocks.add(address := 10**9 + len(blocks) * memory.LARGEST_KEPT)
            return address

    for name in ("malloc", "free", "madvise"):  # functions of ctypes take the types of their arguments
        call = getattr(Library, name)
        monkeypatch.setattr(Library, name, staticmethod(lambda *given, call=call: call(*given)))
    monkeypatch.setattr(memory.sys, "platform", "linux")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: Library)
    memory.reuse_freed_memory.__wrapped__()
    trim_threshold, top_padding, mmap_threshold = -1, -2, -3
    assert told[mmap_threshold] == memory.LARGEST_KEPT
    assert told[trim_threshold] > told[top_padding] == memory.KEPT
    assert blocks == set()
    assert len(advised) == 2 * memory.KEPT // memory.LARGEST_KEPT
    assert all(start % 2**21 == 0 and length > 0 and advice == 14 for start, length, advice in advised)


@pytest.mark.usefixtures("system")
def test_a_system_that_says_nothing_is_taken_to_have_a_gibibyte():
    assert free_memory(CPU) == UNKNOWN == 2**30


def test_what_the_system_calls_available_is_free(system):
    system("meminfo", MEMINFO)
    assert free_memory(CPU) == 3_000_000 * 1024


@pytest.mark.parametrize("text", ["", "hello\n", "MemTotal: 16 kB\n", "MemAvailable: some kB\n"])
def test_a_memory_table_of_another_kind_says_nothing(system, text):
    system("meminfo", text)
    assert free_memory(CPU) == UNKNOWN


@pytest.mark.parametrize(
    ("limit", "used", "expected"),
    [
        ("2000000000\n", "500000000\n", 1_500_000_000),  # the container is nearer to its end than the system
        ("64000000000\n", "500000000\n", 3_072_000_000),
        ("max\n", "500000000\n", 3_072_000_000),
        ("500\n", "600\n", 0),
        ("2000000000\n", None, 3_072_000_000),
        (None, "500000000\n", 3_072_000_000),
    ],
)
def test_a_container_leaves_what_its_limit_does(system, limit, used, expected):
    system("meminfo", MEMINFO)
    for name, text in (("memory.max", limit), ("memory.current", used)):
        if text is not None:
            system(name, text)
    assert free_memory(CPU) == expected


def test_a_container_is_believed_where_the_system_says_nothing(system):
    system("memory.max", "1000\n")
    system("memory.current", "400\n")
    assert free_memory(CPU) == 600


def test_cached_files_do_not_count_as_used(system):
    system("memory.max", "1000\n")
    system("memory.current", "900\n")
    system("memory.stat", "anon 500\nfile 400\ninactive_file 300\n")
    assert free_memory(CPU) == 400


def test_this_machine_has_some_memory_left():
    assert 0 < free_memory(CPU) < 2**50


def test_of_a_gpu_what_torch_keeps_for_later_is_free_too(monkeypatch, system):
    system("meminfo", MEMINFO)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda _: (700, 1000))
    monkeypatch.setattr("torch.cuda.memory_reserved", lambda _: 200)
    monkeypatch.setattr("torch.cuda.memory_allocated", lambda _: 50)
    assert free_memory(torch.device("cuda", 0)) == 850


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (RuntimeError(), False),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:80] DefaultCPUAllocator: not enough memory: you"), True),
        (RuntimeError("could not create a primitive"), True),
        (
            RuntimeError("could not create a primitive descriptor for a convolution forward propagation primitive"),
            False,
        ),
        (RuntimeError("can't start new thread"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB)"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"), True),
        (ValueError("can't allocate memory"), False),
        (OSError(12, "Cannot allocate memory"), False),
        (KeyboardInterrupt(), False),
    ],
    ids=repr,
)
def test_out_of_memory_is_distinguished_from_other_errors(error, expected):
    assert is_out_of_memory(error) is expected


def test_torch_says_on_this_machine_that_memory_has_run_out():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


def test_only_a_gpu_has_a_cache_to_release(monkeypatch):
    released = []
    monkeypatch.setattr("torch.cuda.empty_cache", lambda: released.append(None))
    memory.release_cached_memory(CPU)
    assert not released
    memory.release_cached_memory(SimpleNamespace(type="cuda"))
    assert len(released) == 1


def test_a_limit_of_the_process_is_one_of_memory(system, monkeypatch):
    resource = pytest.importorskip("resource")
    system("meminfo", MEMINFO)
    used = memory._kibibytes(memory.Path("/proc/self/status"), "VmSize")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (used + 2**30, resource.RLIM_INFINITY))
    assert abs(free_memory(CPU) - 2**30) < 2**28  # threads come and go
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1000, 1000))
    assert free_memory(CPU) == 0


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are")
def test_freed_memory_is_not_cleared_again_by_the_system():
    """Pages that the system hands out anew are faults; ten times three feature maps of 8 MiB have 61,440."""
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert before > 5_000
    assert after < 200
