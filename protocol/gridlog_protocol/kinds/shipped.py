"""The kinds that come with the product. The only module here that reads packaged files.

A kind is read when somebody first asks for it: every start of a command would pay for all of them, and most need one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

from gridlog_protocol.kinds.loading import KindSet, parse_envelope, parse_kind
from gridlog_protocol.kinds.model import Envelope, Kind

KIND_FILES = (
    # What is written in the field, then whom and what it is about, then plans and catalogues: the order of lists.
    "patrol",
    "household_visit",
    "mediation",
    "incident",
    "task",
    "proposal",
    "meeting",
    "daily_report",
    "evaluation",
    "notice",
    "attachment",
    "household",
    "person",
    "address",
    "visit_plan",
    "patrol_route",
    "grid",
    "user",
    "device",
    "duty_item",
    "incident_category",
)


@cache
def shipped_envelope() -> Envelope:
    """Return the fields that every record has: a site's own kind is parsed with them."""
    return parse_envelope(_text("envelope"), source="envelope.toml")


@cache
def shipped_kinds() -> KindSet:
    """Return the kinds that come with the product."""
    return KindSet(_ReadWhenAsked())


@cache
def shipped_version() -> str:
    """Name these kinds by what their files say, in 16 hex digits: without reading any of them as a kind."""
    texts = "\0".join(_text(name) for name in ("envelope", *KIND_FILES))
    return hashlib.sha256(texts.encode()).hexdigest()[:16]


class _ReadWhenAsked(Mapping[str, Kind]):
    """The shipped kinds by name."""

    def __getitem__(self, name: str) -> Kind:
        if name not in KIND_FILES:
            raise KeyError(name)
        return _read(name)

    def __contains__(self, name: object) -> bool:
        return name in KIND_FILES

    def __iter__(self) -> Iterator[str]:
        return iter(KIND_FILES)

    def __len__(self) -> int:
        return len(KIND_FILES)


@cache
def _read(name: str) -> Kind:
    return parse_kind(_text(name), source=f"{name}.toml", envelope=shipped_envelope())


def _text(name: str) -> str:
    return files(__package__).joinpath("files", f"{name}.toml").read_text(encoding="utf-8")
