"""THREATS.md claims nothing without a test: each line of a table names some, and every test that is named exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent
TEXT = (TESTS.parent / "THREATS.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(test_\w+)`")


@cache
def existing() -> frozenset[str]:
    functions = (
        node
        for path in TESTS.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    )
    return frozenset(each.name for each in functions)


def claims() -> list[str]:
    """Return the lines of all tables, without their headings."""
    lines = [line for line in TEXT.splitlines() if line.startswith("|")]
    rules = {index for index, line in enumerate(lines) if set(line) <= set("|- ")}
    headings = {index - 1 for index in rules}
    return [line for index, line in enumerate(lines) if index not in rules | headings]


def test_every_test_that_the_document_names_exists() -> None:
    assert sorted(set(NAMED.findall(TEXT)) - existing()) == []


def test_every_claim_of_the_document_names_a_test_that_tries_it() -> None:
    assert claims()
    assert [line for line in claims() if not NAMED.search(line)] == []
