"""Find in free text what must not be stored at all.

The law allows only what the purpose needs, and no purpose here needs a resident ID number; a number that was never
stored cannot leak. A wrong check digit does not excuse it: people mistype.
"""

from __future__ import annotations

import re

_ASCII_DIGITS = str.maketrans("０１２３４５６７８９Ｘｘ", "0123456789Xx")
_WIDE_DIGIT = re.compile("[０-９Ｘｘ]")
_MONTH_AND_DAY = r"(?:0[1-9]|1[0-2])[ -]?(?:0[1-9]|[12][0-9]|3[01])"
_ID_NUMBER = re.compile(
    rf"(?<![0-9])[1-9][0-9]{{5}}[ -]?"
    rf"(?:(?:18|19|20)[0-9]{{2}}[ -]?{_MONTH_AND_DAY}[ -]?[0-9]{{3}}[0-9Xx]"
    rf"|[0-9]{{2}}{_MONTH_AND_DAY}[ -]?[0-9]{{3}})(?![0-9])"
)

FORBIDDEN = {"id_number": _ID_NUMBER}


def forbidden_in(text: str, names: tuple[str, ...]) -> str | None:
    """Return the name of the first forbidden pattern that occurs in the text."""
    # Hardly any text has wide digits, and translating is what takes time.
    plain = text.translate(_ASCII_DIGITS) if _WIDE_DIGIT.search(text) else text
    return next((name for name in names if FORBIDDEN[name].search(plain)), None)
