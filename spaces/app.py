"""The page of innersr as a Hugging Face Space: the same page, with limits for a small shared machine."""

import sys
import threading
from pathlib import Path

# A Space holds the source itself, as innersr-torch is on no index.
sys.path.insert(0, str(Path(__file__).resolve().with_name("src")))

from innersr.web.app import Serving, served  # noqa: E402 (found in the folder above)
from innersr.web.limits import Limits  # noqa: E402

LIMITS = Limits(megabytes=20, pixels=4_000_000, seconds=300, files=5, waiting=20, idle_minutes=30)
# Other sites may embed a Space.
SERVING = Serving(host="0.0.0.0", allow_public=True, names=("*",), browser=False, device="cpu", limits=LIMITS)

if __name__ == "__main__":
    with served(SERVING):
        threading.Event().wait()
