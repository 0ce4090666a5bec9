"""Super-resolve one image from the image itself.

    import innersr
    large = innersr.upscale(small, scale=2)

The names in __init__.pyi are the whole public interface. They are loaded when first used, because torch takes longer to
import than `innersr --help` may take to answer.
"""

import lazy_loader

from innersr.version import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
