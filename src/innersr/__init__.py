"""Super-resolve one image from the image itself.

    import innersr
    large = innersr.upscale(small, scale=2)

The names in __init__.pyi are the whole public interface. They are loaded when first used, because torch takes longer to
import than `innersr --help` may take to answer.
"""

from importlib.metadata import version

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = version("innersr")
