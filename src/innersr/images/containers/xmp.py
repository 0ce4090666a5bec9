"""XMP packets made true for the upright result without attachments. Knows nothing about files."""

from __future__ import annotations

import re
from typing import Any
from xml.dom import minidom
from xml.parsers.expat import ExpatError

from innersr.images.metadata import DamagedBytesError


def upright_xmp(xmp: bytes) -> bytes:
    """An XMP packet of the same length whose tiff:Orientation is 1."""
    return re.sub(rb"(tiff:Orientation\s*(?:=\s*[\"']|>)\s*)[2-8](?=\s*[\"'<])", rb"\g<1>1", xmp)


def xmp_of_size(xmp: bytes, width: int, height: int) -> bytes:
    """An XMP packet whose sizes in pixels, where it states any, are those of a result."""
    for names, side in (
        (rb"tiff:ImageWidth|exif:PixelXDimension", width),
        (rb"tiff:ImageLength|exif:PixelYDimension", height),
    ):
        sized = rb"((?:%s)\s*(?:=\s*[\"']|>)\s*)\d+(?=\s*[\"'<])" % names
        xmp = re.sub(sized, rb"\g<1>%d" % side, xmp)
    return xmp


def without_attachments(xmp: bytes) -> bytes:
    """An XMP packet without references to attachments of a file: gain map, video, depth, further XMP.

    A packet without any is returned unchanged.

    Raises:
        DamagedBytesError: it cannot be parsed, or declares entities, which may grow without bounds.
    """
    photos = "http://ns.google.com/photos/1.0/"
    promises = {  # names by namespace; all names where there is none
        "http://ns.adobe.com/hdr-gain-map/1.0/": "",
        "http://ns.apple.com/HDRGainMap/1.0/": "",
        f"{photos}container/": "",
        f"{photos}depthmap/": "",
        f"{photos}image/": "",
        f"{photos}audio/": "",
        f"{photos}camera/": "Motion|MicroVideo",
        "http://ns.google.com/photos/dd/1.0/device/": "",
        "http://ns.adobe.com/xmp/note/": "HasExtendedXMP",
    }
    if not any(namespace.encode() in xmp for namespace in promises):
        return xmp
    if b"<!DOCTYPE" in xmp:
        raise DamagedBytesError("it declares entities")
    try:
        document = minidom.parseString(xmp.strip(b"\0 \t\r\n"))
        _remove(document.documentElement, promises)
        return "".join(node.toxml() for node in document.childNodes).encode()
    except (ExpatError, ValueError, RecursionError) as error:
        raise DamagedBytesError(str(error)) from error


def _remove(element: Any, promises: dict[str, str]) -> None:  # noqa: ANN401 (a minidom.Element)
    """Remove the attributes and elements of these namespaces, by names that begin so."""
    for attribute in [*element.attributes.values()]:
        if _promises(attribute, promises):
            element.removeAttributeNode(attribute)
    for child in [*element.childNodes]:
        if child.nodeType != child.ELEMENT_NODE:
            continue
        if _promises(child, promises):
            element.removeChild(child)
        else:
            _remove(child, promises)


def _promises(node: minidom.Attr | minidom.Element, promises: dict[str, str]) -> bool:
    names = promises.get(node.namespaceURI or "")
    return names is not None and re.match(names, node.localName or "") is not None
