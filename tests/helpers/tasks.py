"""A task for processes, which can import this module."""

import os
import signal

import torch


def answer(task):
    """Twice the task, the threads, the process; "die" ends the process, "fail" is a fault."""
    if task == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "fail":
        raise ValueError("a fault")
    return task * 2, torch.get_num_threads(), os.getpid()


def upscale_dying_once(job):
    """Upscale a file; the first process that has one to save ends then, if a file "dead" is not there yet."""
    from innersr.commands.upscale_file import upscale_silently
    from innersr.pipeline.tasks import FileTask

    save = FileTask.save

    def dying(task, result):
        dead = task.target.with_name("dead")
        if task.source.stem == "b" and not dead.exists():
            dead.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return save(task, result)

    FileTask.save = dying
    try:
        return upscale_silently(job)
    finally:
        FileTask.save = save
