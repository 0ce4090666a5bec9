"""libvips in several threads, and in forked processes."""

import os
import subprocess
import sys
import threading

import pytest
import torch

from innersr import Image, ImageFileError, gaussian, load_kernel, read, save, save_kernel
from innersr.errors import KernelError

IMAGE = Image(colour=torch.linspace(0, 1, 3 * 40 * 48).reshape(1, 3, 40, 48))


def test_the_errors_of_one_thread_are_not_those_of_another(tmp_path):
    save(IMAGE, tmp_path / "good.tif")
    save(IMAGE, tmp_path / "bad.png")
    save_kernel(gaussian(1.0), tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes((tmp_path / "bad.png").read_bytes()[:-60])
    ended, wrong = threading.Event(), []

    def read_bad():
        while not ended.is_set():
            for load, error in ((read, ImageFileError), (load_kernel, KernelError)):
                with pytest.raises(error):
                    load(tmp_path / "bad.png")

    def read_good():
        try:
            for _ in range(60):
                read(tmp_path / "good.tif")
                load_kernel(tmp_path / "good.png")
        except (ImageFileError, KernelError) as error:
            wrong.append(error)

    bad, good = threading.Thread(target=read_bad), [threading.Thread(target=read_good) for _ in range(2)]
    for thread in (bad, *good):
        thread.start()
    for thread in good:
        thread.join()
    ended.set()
    bad.join()
    assert not wrong


FORKED = """
import os, sys
import torch
from innersr import Image, ImageFileError, read, save

def attempt(name, function, *args):
    try:
        function(*args)
        print(name, "works", flush=True)
    except ImageFileError as error:
        print(name, error, flush=True)

image = Image(colour=torch.rand(1, 3, 20, 24))
if "used" in sys.argv:
    save(image, "photo.png")
    read("photo.png")
child = os.fork()
if child == 0:
    attempt("save", save, image, "other.png")
    attempt("read", read, "other.png" if "used" not in sys.argv else "photo.png")
    os._exit(0)
os.waitpid(child, 0)
attempt("parent", save, image, "third.png")
"""


def forked(folder, *words):
    command = [sys.executable, "-W", "ignore", "-c", FORKED, *words]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=True)
    return ended.stdout.splitlines()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_forked_process_says_to_spawn_at_once(tmp_path):
    saved, loaded, parent = forked(tmp_path, "used")
    assert saved.startswith("save this process was forked") and 'get_context("spawn")' in saved
    assert loaded.startswith("read this process was forked")
    assert parent == "parent works"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_process_forked_before_any_image_works(tmp_path):
    assert forked(tmp_path) == ["save works", "read works", "parent works"]
