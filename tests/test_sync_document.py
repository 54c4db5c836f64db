"""What the description of merging says is what the code does."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from gridlog_protocol.errors import HOLDS
from gridlog_protocol.kinds import Field, Merge, shipped_kinds
from gridlog_sync import admission
from gridlog_sync.rules import RULES
from tests.unit.sync.building import Worker, log_of, put, state_of

PACKAGE = Path(__file__).parents[1] / "sync"
TEXT = (PACKAGE / "README.md").read_text(encoding="utf-8")


def table(first_heading: str) -> list[list[str]]:
    lines = TEXT[TEXT.index(f"| {first_heading} |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]


def field_with(merge: Merge) -> Field:
    return next(field for kind in shipped_kinds() for field in kind.fields.values() if field.merge is merge)


def test_the_table_of_rules_is_the_one_in_the_code() -> None:
    two_heads = state_of(log_of(*(Worker(number).writes(put("x", number)) for number in (1, 2))))
    heads = two_heads.fields["x"].cells[""].heads
    said = {row[0]: (row[1], row[2], row[4]) for row in table("Rule")}

    assert said == {
        str(merge): (
            type(rule).__module__.removeprefix("gridlog_sync.").replace(".", "/") + ".py",
            ", ".join(action.name.lower() for action in sorted(rule.actions(field_with(merge)))),
            str(rule.conflict(field_with(merge), heads) or "none"),
        )
        for merge, rule in RULES.items()
    }


def test_the_list_of_modules_is_complete() -> None:
    modules = {path.stem for path in (PACKAGE / "gridlog_sync").glob("[a-z]*.py")}

    assert {row[0] for row in table("Module")} == {*modules, "rules"}


def test_the_drawing_of_admission_has_every_hold_that_is_given() -> None:
    drawn = set(
        re.findall(r"[a-z]+_[a-z_]+|immutable|proposal", TEXT.split("## What the server takes")[1].split("## ")[0])
    )

    assert drawn & set(HOLDS) == set(re.findall(r'"([a-z_]+)"', inspect.getsource(admission))) & set(HOLDS)


def test_the_drawing_of_heads_is_what_merging_does() -> None:
    ops = [
        Worker(1).writes(put("summary", "a")),
        Worker(2).writes(put("summary", "b")),
        Worker(3).writes(put("summary", "c"), seen=1),
    ]
    drawn = re.findall(r"^after (\d) +(.+?) {2,}up to position (\d)", TEXT, flags=re.MULTILINE)

    assert len(drawn) == len(ops)
    for number, heads, covered in drawn:
        cell = state_of(log_of(*ops[: int(number)])).fields["summary"].cells[""]
        assert ", ".join(str(head.value) for head in cell.heads) == heads
        assert cell.covered.position == int(covered)


def test_every_file_that_is_named_exists() -> None:
    named = re.findall(r"`((?:rules|tests|protocol)/[\w/.]+)`", TEXT)
    root = PACKAGE.parent

    missing = [
        name for name in named if not (root / name).exists() and not (PACKAGE / "gridlog_sync" / name).exists()
    ]
    assert missing == []
