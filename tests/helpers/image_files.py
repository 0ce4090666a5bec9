"""Files of the formats that are read and not written, made of arrays."""

import importlib.util
import io

import netpbmfile
import numpy as np
from PIL import Image as PillowImage


def has(*packages):
    """Whether all these packages are installed."""
    return all(importlib.util.find_spec(each) is not None for each in packages)


def tga(samples, **options):
    return _by_pillow("TGA", samples, **options)


def ico(samples, sizes, form="png"):
    return _by_pillow("ICO", samples, sizes=sizes, bitmap_format=form)


def pnm(samples, kind, maximum):
    stream = io.BytesIO()
    netpbmfile.imwrite(stream, samples, magicnumber=kind, maxval=maximum)
    return stream.getvalue()


def pfm(values):
    kind = b"PF" if values.ndim == 3 else b"Pf"
    head = b"%s\n%d %d\n-1.0\n" % (kind, values.shape[1], values.shape[0])
    return head + values[::-1].astype("<f4").tobytes()


def heic(samples, *, bits=8, **options):
    """Without loss; samples of more than 8 bits are those of `bits`."""
    import pillow_heif

    modes = {1: "L", 3: "RGB", 4: "RGBA"}
    mode = modes[1 if samples.ndim == 2 else samples.shape[2]]
    data = samples if bits == 8 else samples << (16 - bits)
    name = mode if bits == 8 else f"{mode};16"
    picture = pillow_heif.from_bytes(name, samples.shape[1::-1], np.ascontiguousarray(data).tobytes())
    stream = io.BytesIO()
    picture.save(stream, quality=-1, chroma=444, matrix_coefficients=0, **options)
    return stream.getvalue()


def jpeg_xl(samples, **options):
    import imagecodecs

    return bytes(imagecodecs.jpegxl_encode(samples, lossless=True, **options))


def exr(channels, path, **header):
    import OpenEXR

    whole = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **header}
    OpenEXR.File(whole, channels).write(str(path))
    return path.read_bytes()


def radiance(values):
    import imagecodecs

    return bytes(imagecodecs.rgbe_encode(values))


def _by_pillow(form, samples, **options):
    stream = io.BytesIO()
    PillowImage.fromarray(samples).save(stream, form, **options)
    return stream.getvalue()
