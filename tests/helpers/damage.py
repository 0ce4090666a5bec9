"""Small valid files of every kind, and ways of damaging them that a random generator chooses."""

import copy
import io
import json
import struct
import tempfile
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import safetensors.torch
import tifffile
import torch
from PIL import Image as PillowImage

from helpers import image_files

ROWS, COLUMNS = np.mgrid[0:12, 0:16]
SAMPLES = np.stack([ROWS * 20, COLUMNS * 15, ROWS * COLUMNS], 2).astype(np.uint8)
# Numbers that break readers: empty, negative, signed limits, large but allowed sides.
TELLING = [
    bytes(4),
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\0\0\x40\0",
    b"\0\x40",
    b"\1",
    b"\xff",
    b"\xff\xff",
]
ODD_VALUES = [None, True, -1, 0, 1, 1.5, -0.5, 7, 1000, 2**31, 2**63, 10**30, 1e308, 1e-320, "", "x", "0", [], [[]], {}]
ODD_VALUES += [{"a": None}, "\x00\n", "é" * 300, [1, 2, 3], [-1.0], [0] * 5000]
ODD_TYPES = [torch.int8, torch.uint8, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.bool]


def by_pillow(form, picture, **options):
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def by_tifffile(samples, **options):
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples, **options)
    return stream.getvalue()


@cache
def original_images():
    """Return files of every format, with what its reader has to take care of."""
    colour = PillowImage.fromarray(SAMPLES)
    grey, palette, ink = colour.convert("L"), colour.quantize(8), colour.convert("CMYK")
    with_alpha = PillowImage.fromarray(np.concatenate([SAMPLES, SAMPLES[..., :1]], 2))
    exif = PillowImage.Exif()
    exif[0x0112], exif[271] = 6, "Canon"
    block = exif.tobytes()
    bands = np.random.default_rng(0).random((5, 12, 16)).astype(np.float32)
    separate = {"photometric": "minisblack", "planarconfig": "separate"}
    frames = {"save_all": True, "append_images": [colour.rotate(180)]}
    return {
        "png": [
            by_pillow("png", colour, dpi=(300, 300)),
            by_pillow("png", with_alpha, exif=block),
            by_pillow("png", palette, transparency=1),
            by_pillow("png", colour.convert("1")),
            by_pillow("png", colour, **frames),
        ],
        "jpeg": [
            by_pillow("jpeg", colour, exif=block, dpi=(300, 300)),
            by_pillow("jpeg", colour, progressive=True),
            by_pillow("jpeg", grey),
            by_pillow("jpeg", ink),
        ],
        "tiff": [
            by_tifffile(SAMPLES, photometric="rgb"),
            by_tifffile(SAMPLES, photometric="rgb", bigtiff=True, compression="zlib"),
            by_tifffile(SAMPLES.astype(np.uint16) * 257, photometric="rgb", tile=(16, 16), compression="zlib"),
            by_tifffile(bands, **separate),
            by_tifffile(np.asarray(with_alpha), photometric="rgb", extrasamples=["assocalpha"], byteorder=">"),
            by_pillow("tiff", colour, compression="tiff_lzw", **frames),
            by_pillow("tiff", ink, compression="jpeg"),
            by_pillow("tiff", colour.convert("1"), compression="group4"),
        ],
        "webp": [
            by_pillow("webp", colour, lossless=True),
            by_pillow("webp", with_alpha, exif=block),
            by_pillow("webp", colour, **frames),
        ],
        "avif": [
            by_pillow("avif", colour),
            by_pillow("avif", with_alpha, exif=block),
            by_pillow("avif", colour, **frames),
        ],
        "gif": [by_pillow("gif", colour), by_pillow("gif", colour, **frames)],
        "bmp": [
            by_pillow("bmp", colour),
            by_pillow("bmp", grey),
            by_pillow("bmp", palette),
            by_pillow("bmp", colour.convert("1")),
        ],
    }


@cache
def read_only_images():
    """Files of the formats that are read and not written, as far as their packages are installed."""
    levels = SAMPLES[..., 0].astype(np.uint16) * 257
    with_alpha = np.concatenate([SAMPLES, SAMPLES[..., :1]], 2)
    values = SAMPLES.astype(np.float32) / 100
    found = {
        "tga": [image_files.tga(SAMPLES), image_files.tga(with_alpha, compression="tga_rle")],
        "ico": [image_files.ico(with_alpha, [(16, 16), (8, 8)], form) for form in ("png", "bmp")],
        "ppm": [image_files.pnm(SAMPLES, "P3", 255), image_files.pnm(levels, "P5", 65535), b"P4\n9 2\n\1\2\3\4"],
        "pam": [image_files.pnm(with_alpha, "P7", 255)],
        "pfm": [image_files.pfm(values)],
    }
    if image_files.has("pillow_heif"):
        deep = SAMPLES.astype(np.uint16) * 4
        found["heic"] = [image_files.heic(SAMPLES), image_files.heic(deep, bits=10), image_files.heic(with_alpha)]
    if image_files.has("imagecodecs", "pillow_jxl"):
        found["jxl"] = [image_files.jpeg_xl(x, usecontainer=x is levels) for x in (SAMPLES, levels, with_alpha)]
        found["hdr"] = [image_files.radiance(values)]
    if image_files.has("OpenEXR"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.exr"
            found["exr"] = [image_files.exr({"RGB": values.astype(np.float16)}, path)]
            found["exr"].append(image_files.exr({"RGBA": values[..., [0, 1, 2, 0]], "Z": values[..., 0].copy()}, path))
    return found


def damaged_bytes(data, draws):
    """Change bytes in one to four places, half of them near the start: bits, lengths, numbers, blocks, the end."""
    data = bytearray(data)
    for _ in range(draws.randint(1, 4)):
        at = draws.randrange(max(1, min(len(data), draws.choice([96, len(data)]))))
        kind = draws.choice(
            ["flip", "flip", "truncate", "insert", "delete", "number", "number", "length", "move", "zero"]
        )
        if kind == "flip" and data:
            data[at] ^= 1 << draws.randrange(8)
        elif kind == "truncate":
            del data[at:]
        elif kind == "insert":
            data[at:at] = draws.randbytes(draws.randint(1, 8))
        elif kind == "delete":
            del data[at : at + draws.randint(1, 8)]
        elif kind == "number":
            number = draws.choice(TELLING)[:: draws.choice([1, -1])]  # in either byte order
            data[at : at + len(number)] = number
        elif kind == "length":
            _change_length(data, draws)
        elif kind == "move":
            start = draws.randrange(max(1, len(data)))
            data[at : at + 8] = data[start : start + 8]
        elif kind == "zero":
            data[at : at + 16] = bytes(len(data[at : at + 16]))
    return bytes(data)


def damaged_image(data, draws):
    """Damage an image file; half of the PNG files have right checksums again, so that decoding gets beyond them."""
    damaged = damaged_bytes(data, draws)
    return with_png_checksums(damaged) if damaged[:4] == b"\x89PNG" and draws.random() < 0.5 else damaged


def with_png_checksums(data):
    result, at = bytearray(data), 8
    while at + 12 <= len(result):
        (length,) = struct.unpack_from(">I", result, at)
        end = at + 8 + length
        if end + 4 > len(result):
            break
        struct.pack_into(">I", result, end, zlib.crc32(result[at + 4 : end]))
        at = end + 4
    return bytes(result)


def damaged_value(value, draws):
    """Change one value in a JSON value, wherever it is: replace, remove or repeat it, or rename its key."""
    value = copy.deepcopy(value)
    place, key = None, None
    inner = value
    while isinstance(inner, dict | list) and inner and (place is None or draws.random() < 0.7):
        place, key = inner, draws.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
        inner = place[key]
    if place is None:
        return draws.choice(ODD_VALUES)
    action = draws.choice(["replace", "replace", "replace", "near", "remove", "rename"])
    if action == "near" and isinstance(inner, int | float):
        place[key] = draws.choice([inner + 1, inner - 1, -inner, inner * 1000, inner / 2])
    elif action == "remove":
        del place[key]
    elif action == "rename" and isinstance(place, dict):
        place[draws.choice(["x", f"{key} ", "format", "step", "adam.0.step"])] = place.pop(key)
    else:
        place[key] = draws.choice(ODD_VALUES)
    return value


def damaged_json(data, draws):
    """Damage a JSON text, or a log with an object a line, in its bytes or in one of its values."""
    if draws.random() < 0.4:
        return damaged_bytes(data, draws)
    if data.count(b"\n{"):
        lines = data.splitlines(keepends=True)
        at = draws.randrange(len(lines))
        lines[at] = json.dumps(damaged_value(json.loads(lines[at]), draws)).encode() + b"\n"
        return b"".join(lines)
    return json.dumps(damaged_value(json.loads(data), draws)).encode()


def damaged_checkpoint(data, draws):
    """Damage a checkpoint: its bytes, the head that says what it holds, our header, or its tensors."""
    kind = draws.choice(["bytes", "head", "header", "header", "tensors", "tensors"])
    size = int.from_bytes(data[:8], "little")
    head, rest = json.loads(data[8 : 8 + size]), data[8 + size :]
    header = json.loads(head["__metadata__"]["innersr"])
    if kind == "bytes":
        return damaged_bytes(data, draws)
    if kind == "head":
        text = json.dumps(damaged_value(head, draws)).encode()
        return len(text).to_bytes(8, "little") + text + rest
    if kind == "header":
        header = damaged_value(header, draws)
    tensors = safetensors.torch.load(data)
    if kind == "tensors":
        _damage_tensors(tensors, draws)
    return safetensors.torch.save(tensors, {"innersr": json.dumps(header)})


def _damage_tensors(tensors, draws):
    if not tensors:
        tensors["extra"] = torch.zeros(5)
        return
    name = draws.choice(sorted(tensors))
    tensor = tensors[name]
    action = draws.choice(["remove", "rename", "type", "shape", "value", "extra", "family"])
    if action == "remove":
        del tensors[name]
    elif action == "family":  # all moments of a parameter, a scale, a network
        prefix = name[: max(1, draws.randrange(len(name)))]
        for each in [each for each in tensors if each.startswith(prefix)]:
            del tensors[each]
    elif action == "rename":
        tensors[name + draws.choice([".x", ".peaks", "0"])] = tensors.pop(name)
    elif action == "type":
        tensors[name] = tensor.to(draws.choice(ODD_TYPES))
    elif action == "shape":
        tensors[name] = draws.choice([tensor.flatten(), tensor[None], torch.zeros(0), torch.zeros(()), torch.zeros(99)])
    elif action == "value" and tensor.is_floating_point():
        values = [float("nan"), float("inf"), -1.0, 1e30, -1e-30, 65504.0]
        tensors[name] = torch.full_like(tensor.float(), draws.choice(values)).to(tensor.dtype)
    else:
        tensors["extra"] = torch.zeros(5)


def _change_length(data, draws):
    """Change a number that may be the length or the place of something, because it is within the file."""
    width, order = draws.choice([2, 4, 4, 8]), draws.choice(["big", "little"])
    places = [
        at
        for at in range(min(len(data), 2000) - width)
        if 0 < int.from_bytes(data[at : at + width], order) <= len(data)
    ]
    if places:
        at = draws.choice(places)
        old = int.from_bytes(data[at : at + width], order)
        new = draws.choice([0, 1, old - 1, old + 1, 2 * old, len(data), 2 ** (8 * width - 1) - 1, 2 ** (8 * width) - 1])
        data[at : at + width] = min(new, 2 ** (8 * width) - 1).to_bytes(width, order)
