"""Read what a form says. Bodies come through the same intake as a handheld's: bounded, and not for ever."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl

from aiohttp import web

from gridlog_server.door.intake import Intake, TooLargeError, TooSlowError

FORM_BYTES_MAX = 64 << 10
_FIELDS_MAX = 500
_MEDIA_TYPE = "application/x-www-form-urlencoded"


class Form:
    """The fields of a form, in their order; a name may come more than once."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._pairs = tuple(pairs)

    def one(self, name: str) -> str:
        """Return a field without the spaces around it, or nothing."""
        return self.raw(name).strip()

    def raw(self, name: str) -> str:
        """Return a field as it was typed: a password may begin with a space."""
        return next((value for each, value in self._pairs if each == name), "")

    def all(self, name: str) -> Sequence[str]:
        """Return every value of a field that may come more than once."""
        return [value for each, value in self._pairs if each == name]

    def under(self, prefix: str) -> dict[str, str]:
        """Return the filled-in fields whose names begin so, by the rest of their names."""
        found = {each.removeprefix(prefix): value.strip() for each, value in self._pairs if each.startswith(prefix)}
        return {name: value for name, value in found.items() if value}


async def read_form(request: web.Request, intake: Intake) -> Form | None:
    """Return a form; None if the body is none. Raises HTTPRequestTimeout, CrowdedError, ConnectionError."""
    if request.content_type != _MEDIA_TYPE or "Content-Encoding" in request.headers:
        return None
    try:
        body = await intake.read(request)
        # Newlines come as a browser sends them; everything else is kept as it is.
        text = body.decode("utf-8").replace("%0D%0A", "%0A")
        return Form(parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS_MAX, errors="strict"))
    except TooSlowError:
        raise web.HTTPRequestTimeout from None
    except (TooLargeError, ValueError):
        return None
