"""Read published division codes and take one street out of them. Pure: text in, values out.

The levels are district (6 digits), street (9) and community (12). A row names its parent, and only
that makes the tree: digits are not compared, because divisions move and keep their codes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

PROBLEMS_SHOWN_MAX = 10


class DivisionsError(ValueError):
    """The file of divisions cannot be used as it is; each line names one row and its fault."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        shown = list(self.problems[:PROBLEMS_SHOWN_MAX])
        if len(self.problems) > len(shown):
            shown.append(f"… and {len(self.problems) - len(shown)} more")
        super().__init__("\n".join(shown))


@dataclass(frozen=True, slots=True)
class Division:
    """One district, street or community."""

    code: str
    name: str
    parent_code: str


@dataclass(frozen=True, slots=True)
class Divisions:
    """A checked file: every code has the right length, occurs once, and its parent exists."""

    source: str
    as_of: str
    districts: Mapping[str, Division]
    streets: Mapping[str, Division]
    communities: Mapping[str, Division]


@dataclass(frozen=True, slots=True)
class StreetExtract:
    """One street with its communities, as kept in the project."""

    source: str
    as_of: str
    district: Division
    street: Division
    communities: tuple[Division, ...]


@dataclass(frozen=True, slots=True)
class _Level:
    rows: str
    digits: int
    parent_key: str
    parents: str


_LEVELS = (
    _Level("areas", 6, "cityCode", ""),
    _Level("streets", 9, "areaCode", "areas"),
    _Level("villages", 12, "streetCode", "streets"),
)


def read_divisions(text: str) -> Divisions:
    """Read a file with `source`, `areas`, `streets` and `villages`. Raises DivisionsError."""
    content = _json_object(text)
    source = content.get("source")
    if not isinstance(source, str) or not (date := re.search(r"\d{4}-\d{2}-\d{2}", source)):
        raise DivisionsError(["'source' must say where the codes come from and of which date"])
    tables: dict[str, dict[str, Division]] = {}
    problems: list[str] = []
    for level in _LEVELS:
        rows = content.get(level.rows)
        if not isinstance(rows, list):
            problems.append(f"{level.rows}: a list of rows is missing")
            rows = []
        tables[level.rows], faults = _read_level(level, rows, tables.get(level.parents))
        problems.extend(faults)
    if problems:
        raise DivisionsError(problems)
    return Divisions(source, date.group(), tables["areas"], tables["streets"], tables["villages"])


def street_extract(divisions: Divisions, street_code: str) -> StreetExtract:
    """Take one street, its district and its communities. Raises DivisionsError."""
    street = divisions.streets.get(street_code)
    if street is None:
        raise DivisionsError([f"street {street_code} is not among {len(divisions.streets)} streets"])
    communities = tuple(
        sorted(
            (found for found in divisions.communities.values() if found.parent_code == street_code),
            key=lambda found: found.code,
        )
    )
    if not communities:
        raise DivisionsError([f"street {street_code} {street.name} has no communities"])
    return StreetExtract(
        divisions.source,
        divisions.as_of,
        divisions.districts[street.parent_code],
        street,
        communities,
    )


def written(extract: StreetExtract) -> str:
    """Write an extract as JSON that people can read and `read_extract` reads back."""
    return json.dumps(asdict(extract), ensure_ascii=False, indent=1) + "\n"


def read_extract(text: str) -> StreetExtract:
    """Read what `written` wrote. Raises DivisionsError."""
    content = _json_object(text)
    try:
        return StreetExtract(
            source=content["source"],
            as_of=content["as_of"],
            district=Division(**content["district"]),
            street=Division(**content["street"]),
            communities=tuple(Division(**row) for row in content["communities"]),
        )
    except (KeyError, TypeError) as reason:
        raise DivisionsError([f"not an extract of a street: {reason}"]) from None


def _json_object(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError as reason:
        raise DivisionsError([f"not JSON: {reason}"]) from None
    if not isinstance(content, dict):
        raise DivisionsError(["the file must hold one JSON object"])
    return content


def _read_level(
    level: _Level, rows: Sequence[object], parents: Mapping[str, Division] | None
) -> tuple[dict[str, Division], list[str]]:
    """Return the good rows by code, and what is wrong with the others."""
    table: dict[str, Division] = {}
    problems: list[str] = []
    for number, row in enumerate(rows):
        division = _division(level, row)
        fault = _fault(level, division, parents)
        if fault is None and division.code in table:
            fault = f"{division.code} occurs twice"
        if fault is None:
            table[division.code] = division
        else:
            problems.append(f"{level.rows}[{number}]: {fault}")
    return table, problems


def _division(level: _Level, row: object) -> Division:
    # What is not text reads as empty, which `_fault` reports as missing.
    cells = row if isinstance(row, dict) else {}
    texts = [cells.get(key) for key in ("code", "name", level.parent_key)]
    code, name, parent = (text.strip() if isinstance(text, str) else "" for text in texts)
    return Division(code, name, parent)


def _fault(level: _Level, division: Division, parents: Mapping[str, Division] | None) -> str | None:
    for key, text in (
        ("code", division.code),
        ("name", division.name),
        (level.parent_key, division.parent_code),
    ):
        if not text:
            return f"{key} is missing or not text"
    if not re.fullmatch(rf"[0-9]{{{level.digits}}}", division.code):
        return f"code {division.code!r} must be {level.digits} digits"
    if parents is not None and division.parent_code not in parents:
        return f"{division.code} {division.name}: its parent {division.parent_code} does not exist"
    return None
