"""The wire specification says what the code does: its examples are recomputed, its tables compared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gridlog_protocol import limits
from gridlog_protocol.codec import decode, encode
from gridlog_protocol.envelope import OVERHEAD_BYTES, Purpose
from gridlog_protocol.errors import HOLDS, REFUSALS
from gridlog_protocol.log_chain import EntryType
from gridlog_protocol.ops import Action, Intent
from gridlog_protocol.versions import SPOKEN
from tools.wire_document.document import BLOCK, DOCUMENT, regenerated
from tools.wire_document.examples import EXAMPLES
from tools.wire_document.tables import TABLES

TEXT = DOCUMENT.read_text("utf-8")
BLOCKS = {found[2]: found[3] for found in BLOCK.finditer(TEXT)}
COMPUTED = {found[2]: found[3] for found in BLOCK.finditer(regenerated(TEXT))}
SOURCES = sorted((Path(__file__).parents[1] / "protocol" / "gridlog_protocol").glob("*.py"))


def lines_of(name: str) -> dict[str, str]:
    """Return the labelled lines of an example, continued ones joined."""
    joined = re.sub(r"\n +", "", BLOCKS[name])
    return {label.strip(): said for label, said in re.findall(r"^(.+?)  +(\S.*)$", joined, re.MULTILINE)}


def rows_of(name: str) -> dict[str, list[str]]:
    """Return the rows of a table by their first cell, without its back quotes."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in BLOCKS[name].splitlines()[2:]]
    return {row[0].strip("`"): row[1:] for row in rows}


@pytest.mark.parametrize("name", [*EXAMPLES, *TABLES])
def test_the_document_has_what_the_code_computes(name: str) -> None:
    assert BLOCKS[name] == COMPUTED[name]


def test_every_block_of_the_document_is_computed_and_stands_there_once() -> None:
    assert sorted(found[2] for found in BLOCK.finditer(TEXT)) == sorted([*EXAMPLES, *TABLES])
    assert TEXT.count("<!-- ") == 2 * len(BLOCKS)


@pytest.mark.parametrize(
    ("stated", "otherwise", "examples"),
    [
        (
            '"", "楼道堆物"]',
            '"", "楼道畅通"]',
            {"op_hash", "chain", "segment", "record", "response", "receipt", "digest"},
        ),
        ('salt_root = "60', 'salt_root = "61', {"commitment", "op_hash", "chain", "segment", "response", "receipt"}),
        ('code_secret = "70', 'code_secret = "71', {"invitation", "enrolment"}),
        ('handle = "50', 'handle = "51', {"enrolment", "envelope"}),
    ],
)
def test_an_example_follows_from_the_stated_inputs(stated: str, otherwise: str, examples: set[str]) -> None:
    assert TEXT.count(stated) == 1
    changed = {found[2]: found[3] for found in BLOCK.finditer(regenerated(TEXT.replace(stated, otherwise)))}

    assert {name for name in BLOCKS if changed[name] != BLOCKS[name]} == examples


@pytest.mark.parametrize("name", ["envelope", "squeezed"])
def test_an_example_that_was_drawn_at_random_is_drawn_again_only_if_it_is_wrong(name: str) -> None:
    label = {"envelope": "envelope", "squeezed": "body"}[name]
    flipped = re.sub(rf"(?m)^({label} +.{{60}})(.)", lambda found: found[1] + ("0" if found[2] != "0" else "1"), TEXT)

    assert flipped != TEXT
    mended = regenerated(flipped)
    assert mended != flipped
    assert regenerated(mended) == mended


def test_the_bodies_of_the_examples_are_messages() -> None:
    for name in ("response", "refused", "request"):
        body = bytes.fromhex(lines_of(name)["plain body"])
        message = decode(body, device=None if name != "request" else b"a handheld 00001")  # type: ignore[arg-type]
        assert decode(encode(message), device=b"a handheld 00001") == message  # type: ignore[arg-type]


def test_refusals_and_holds_are_all_explained() -> None:
    assert {code: (int(row[0]), row[1]) for code, row in rows_of("refusals").items()} == {
        code: (each.status, each.meaning) for code, each in REFUSALS.items()
    }
    assert {code: row[1:] for code, row in rows_of("holds").items()} == {
        code: [each.worker_reads.zh, each.worker_reads.en] for code, each in HOLDS.items()
    }


def test_every_limit_has_its_value_and_a_reason() -> None:
    numbers = {name: value for name, value in vars(limits).items() if isinstance(value, int)}
    rows = rows_of("limits")

    assert {name: int(rows[name][0].replace(" ", "")) for name in numbers} == numbers
    assert [name for name, row in rows.items() if not row[1].endswith(".")] == []


def test_every_spoken_version_has_its_date() -> None:
    assert [int(version) for version in rows_of("versions")] == [*SPOKEN]


def test_the_numbers_that_name_things_are_those_of_the_code() -> None:
    for purpose in Purpose:
        assert f"{purpose} {purpose.name.lower().replace('_', ' ')}" in TEXT
    for intent in Intent:
        assert f"{intent} {intent.name.lower()}" in TEXT
    for action in Action:
        assert f"\n| {action} {action.name.lower()} |" in TEXT
    for entry in EntryType:
        assert f"\n| {entry} {entry.name.lower().replace('_', ' ')} |" in TEXT
    assert f"An envelope adds {OVERHEAD_BYTES} bytes" in TEXT


def test_every_hashed_or_signed_prefix_of_the_code_is_in_the_document() -> None:
    prefixes = {
        found for path in SOURCES for found in re.findall(r'b"(gridlog v1 [a-z ]+)"', path.read_text("utf-8"))
    }

    assert len(prefixes) > 12
    assert [prefix for prefix in sorted(prefixes) if f'"{prefix}"' not in TEXT] == []


@pytest.mark.parametrize(
    ("module", "number", "heading"),
    [
        ("ops.py", "4.2", "The op hash"),
        ("segment_codec.py", "5", "The segment row"),
        ("state_codec.py", "6", "Record"),
    ],
)
def test_the_code_refers_to_sections_that_say_it(module: str, number: str, heading: str) -> None:
    source = next(path for path in SOURCES if path.name == module).read_text("utf-8")

    assert f"section {number} of the wire specification" in " ".join(source.split())
    assert re.search(rf"^##+ {re.escape(number)}\.? {heading}", TEXT, re.MULTILINE)
