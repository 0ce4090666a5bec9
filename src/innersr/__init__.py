"""Super-resolve one image from the image itself.

    import innersr
    large = innersr.upscale(small, scale=2)

The names in __init__.pyi are the whole public interface. They are loaded when first used, because torch takes longer to
import than `innersr --help` may take to answer. What finds them is imported then, too: all that is imported before the
command's `main` lengthens the time in which Ctrl-C prints a traceback.
"""

import sys

from innersr.version import __version__ as __version__


def __getattr__(name: str) -> object:
    """Attach the names of the stub, which replaces this function, and give the one that was asked for."""
    _attach()
    return getattr(sys.modules[__name__], name)


def __dir__() -> list[str]:
    """Attach the names of the stub, which replaces this function, and list them."""
    _attach()
    return dir(sys.modules[__name__])


def _attach() -> None:
    import lazy_loader

    replaced = "__getattr__", "__dir__", "__all__"
    globals().update(zip(replaced, lazy_loader.attach_stub(__name__, __file__), strict=True))
