"""The tables of the wire specification: refusals, holds, limits and versions, as the code has them."""

from __future__ import annotations

import ast
import hashlib
import inspect
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from gridlog_protocol import canonical, limits, versions
from gridlog_protocol.compression import SHIPPED, shipped_dictionary
from gridlog_protocol.errors import HOLDS, REFUSALS


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _refusals() -> str:
    rows = [
        [f"`{each.code}`", str(each.status), each.meaning, each.recovery, each.worker_reads.zh, each.worker_reads.en]
        for each in REFUSALS.values()
    ]
    return _table(["Code", "HTTP", "Meaning", "The device", "The worker reads", ""], rows)


def _holds() -> str:
    rows = [[f"`{each.code}`", each.meaning, each.worker_reads.zh, each.worker_reads.en] for each in HOLDS.values()]
    return _table(["Code", "Meaning", "The worker reads", ""], rows)


def _limits() -> str:
    named = {**_constants(limits), **_constants(canonical, "DEPTH_MAX", "ITEMS_MAX")}
    rows = [[f"`{name}`", f"{value:,}".replace(",", " "), reason] for name, (value, reason) in named.items()]
    return _table(["Limit", "Value", "Reason"], rows)


def _versions() -> str:
    return _table(["Version", "Date and change"], [[str(v), reason] for v, reason in _constants(versions).values()])


def _dictionaries() -> str:
    rows = []
    for number in SHIPPED:
        raw = shipped_dictionary(number)
        rows.append([f"`{number:02x}`", f"{len(raw):,}".replace(",", " "), f"`{hashlib.sha256(raw).hexdigest()}`"])
    return _table(["Dictionary", "Bytes", "SHA-256"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "refusals": _refusals,
    "holds": _holds,
    "limits": _limits,
    "versions": _versions,
    "dictionaries": _dictionaries,
}


def _constants(module: Any, *only: str) -> dict[str, tuple[int, str]]:
    """Return the numbers of a module, each with the sentence that stands below it."""
    body = ast.parse(inspect.getsource(module)).body
    found: dict[str, tuple[int, str]] = {}
    for statement, below in pairwise(body):
        match statement, below:
            case (
                ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str() as reason)),
            ) if isinstance(vars(module)[name], int) and (not only or name in only):
                found[name] = vars(module)[name], " ".join(reason.split())
    return found
