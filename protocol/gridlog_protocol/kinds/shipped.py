"""The kinds that come with the product. The only module here that reads packaged files."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from gridlog_protocol.kinds.loading import KindSet, parse_envelope, parse_kind
from gridlog_protocol.kinds.model import Envelope

KIND_FILES = ("patrol", "household_visit", "mediation", "household", "grid")


@cache
def shipped_envelope() -> Envelope:
    """Return the fields that every record has: a site's own kind is parsed with them."""
    return parse_envelope(_text("envelope"), source="envelope.toml")


@cache
def shipped_kinds() -> KindSet:
    """Return the kinds that come with the product."""
    envelope = shipped_envelope()
    kinds = (parse_kind(_text(name), source=f"{name}.toml", envelope=envelope) for name in KIND_FILES)
    return KindSet(tuple(kinds))


def _text(name: str) -> str:
    return files(__package__).joinpath("files", f"{name}.toml").read_text(encoding="utf-8")
