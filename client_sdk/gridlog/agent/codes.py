"""Read a QR code from grey pixels. The page has made them of a picture: no picture is decoded here.

A decoder of pictures would be a large door for whatever is in a file that somebody sends; a browser has one already,
behind a wall of its own. What comes here is width times height bytes, and a fixed number at most.
"""

from __future__ import annotations

import zxingcpp

PIXELS_MAX = 4_000_000
_CHARACTERS_MAX = 2_000


def read_code(pixels: bytes, width: int, height: int) -> str:
    """Return the text of the first QR code, or nothing. `pixels` has a byte each, row by row, 0 for black."""
    if not 0 < width * height <= PIXELS_MAX or width < 1 or len(pixels) != width * height:
        return ""
    image = memoryview(pixels).cast("B", (height, width))
    for found in zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])):
        if found.text:
            return found.text[:_CHARACTERS_MAX]
    return ""
