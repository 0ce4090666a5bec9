"""The page of innersr as a Hugging Face Space: the same page, with limits for a small shared machine."""

import threading

from innersr.web.app import Serving, served
from innersr.web.limits import Limits

LIMITS = Limits(megabytes=20, pixels=4_000_000, seconds=300, files=5, waiting=20, idle_minutes=30)
SERVING = Serving(host="0.0.0.0", allow_public=True, browser=False, device="cpu", limits=LIMITS)

if __name__ == "__main__":
    with served(SERVING):
        threading.Event().wait()
