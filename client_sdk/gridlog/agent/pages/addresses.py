"""Where a page may send the browser: only to pages of this app that only show something."""

from __future__ import annotations

import re

_SHOWING = re.compile(
    r"/(?:begin|search|visits|visits/of/[0-9]+|waiting|patrol/[0-9a-f]{32}|record/[0-9a-f]{32}|records/[a-z_]{1,64}"
    r"|form/[a-z_]{1,64}/[0-9a-f]{32})?"
)


def local_address(wanted: str) -> str:
    """Return the address if it is one of these, or home."""
    return wanted if _SHOWING.fullmatch(wanted) else "/"
