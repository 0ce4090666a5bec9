"""Let many users enlarge pictures on the page at the same time: each gets their own, and nobody else's.

    python scripts/web_users.py --users 50

Serves the page on this machine; every user sends another picture, all at once. The answer must be, to the last value,
what the library makes of that picture; asked by another user for its address it must not be there; and it must be
gone once its user has left. Needs the extra web.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pyvips
from gradio_client import Client, handle_file

from innersr.images.io import read
from innersr.pipeline.files import upscale
from innersr.run import Run


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What became of the users' pictures; all but `seconds` should be empty or 0.

    Args:
        lost: errors in place of answers.
        wrong: answers that are not those of the user's own picture.
        shown: addresses that were answered to another user.
        left: addresses that were still answered after the user had left.
        seconds: until the answer of each user, sorted.
    """

    lost: list[str]
    wrong: int
    shown: list[str]
    left: list[str]
    seconds: list[float]


def main() -> None:
    """Run the users; print what became of their pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--side", type=int, default=64, help="pixels of the pictures")
    options = parser.parse_args()
    tally = run_users(options.users, options.side)
    for each in tally.lost:
        print(f"lost: {each}")
    print(f"{options.users} users: {len(tally.lost)} jobs lost, {tally.wrong} wrong pictures")
    print(f"{len(tally.shown)} shown to somebody else, {len(tally.left)} there after their user had left")
    first, middle, last = tally.seconds[0], tally.seconds[len(tally.seconds) // 2], tally.seconds[-1]
    print(f"seconds until the answer: first {first:.1f}, median {middle:.1f}, last {last:.1f}")


def run_users(users: int, side: int) -> Tally:
    """Serve the page to so many users at once, with pictures of `side` pixels."""
    with tempfile.TemporaryDirectory() as name, serving_process(users) as address:
        folder = Path(name)
        pictures = [made(folder / f"user-{number}.png", number, side) for number in range(users)]
        # One after the other: only what they ask for is to happen at the same time. The page is on this machine, so no
        # certificates are loaded, and all users are threads of one process, which may be slower than the page.
        patient = {"timeout": 600}
        clients = [
            Client(address, verbose=False, download_files=False, ssl_verify=False, httpx_kwargs=patient)
            for _ in range(users)
        ]
        held = [
            httpx.stream("GET", f"{address}gradio_api/heartbeat/{each.session_hash}", cookies=each.cookies, **patient)
            for each in clients
        ]
        for each in held:
            each.__enter__()
        start = threading.Barrier(users, timeout=60)

        def ask(number: int) -> tuple[str, float]:
            start.wait()
            begun = time.monotonic()
            picture = handle_file(pictures[number])
            answer = clients[number].predict(picture=picture, preset="draft", api_name="/enlarge")
            return answer[0]["url"], time.monotonic() - begun

        with ThreadPoolExecutor(users) as pool:
            futures = [pool.submit(ask, number) for number in range(users)]
        failed = {number: str(each.exception()) for number, each in enumerate(futures) if each.exception()}
        answers = {number: each.result() for number, each in enumerate(futures) if number not in failed}
        wrong, shown = 0, []
        for number, (url, _) in answers.items():
            own = httpx.get(url, cookies=clients[number].cookies).raise_for_status()
            wrong += not is_own(own.content, pictures[number])
            other = clients[(number + 1) % users].cookies
            shown += [url for cookies in (other, {}) if httpx.get(url, cookies=cookies).status_code not in (403, 404)]
        for each in held:
            each.__exit__(None, None, None)
        left = [url for number, (url, _) in answers.items() if not is_gone(url, clients[number].cookies)]
    return Tally(
        lost=list(failed.values()),
        wrong=wrong,
        shown=shown,
        left=left,
        seconds=sorted(seconds for _, seconds in answers.values()),
    )


@contextlib.contextmanager
def serving_process(users: int) -> Iterator[str]:
    """The page in a process of its own, as it is used; yield its address."""
    command = [sys.executable, "-m", "innersr", "web", "--port", "0", "--no-browser", "--device", "cpu"]
    command += ["--limit", f"waiting={2 * users}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None  # it is a pipe
        try:
            yield re.search(r"http://\S+", process.stdout.readline())[0]
        finally:
            process.terminate()  # SIGINT may be ignored here, as in the background of a shell
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(60)
            process.kill()


def made(path: Path, seed: int, side: int) -> Path:
    """Write a picture that no other user has."""
    values = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    pyvips.Image.new_from_array(values).gaussblur(1.0).write_to_file(str(path))
    return path


def is_own(answer: bytes, picture: Path) -> bool:
    """Whether an answer is what the library makes of the picture."""
    own, got = picture.with_name(f"{picture.stem}-own.png"), picture.with_name(f"{picture.stem}-got.png")
    got.write_bytes(answer)
    upscale(picture, output=own, preset="draft", run=Run(device="cpu"))
    return np.array_equal(read(got).colour.numpy(), read(own).colour.numpy())


def is_gone(url: str, cookies: dict[str, str], patience: float = 10.0) -> bool:
    """Whether an address is no longer answered, at the latest after `patience` seconds."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if httpx.get(url, cookies=cookies).status_code in (403, 404):
            return True
        time.sleep(0.1)
    return False


if __name__ == "__main__":
    main()
