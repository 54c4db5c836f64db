"""The worked example of the document is a kind that loads."""

import re
from pathlib import Path

from gridlog_protocol.kinds import check_record, parse_kind, shipped_envelope
from gridlog_protocol.kinds.loading_types import TYPE_NAMES
from gridlog_protocol.kinds.model import Merge

DOCUMENT = Path(__file__).parents[3] / "protocol" / "KINDS.md"


def test_the_example_in_the_document_is_a_working_kind() -> None:
    found = re.search(r"```toml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None

    kind = parse_kind(found[1], source="KINDS.md", envelope=shipped_envelope())

    assert kind.name == "flood_watch"
    contradicting = {"people_moved": 3, "depth_cm": 0}
    violations = check_record(kind, contradicting, now_ms=0, fields=["people_moved"], is_creation=False)
    assert [violation.rule for violation in violations] == ["needs"]


def test_the_document_names_every_type_and_merge_rule() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")

    assert [name for name in (*TYPE_NAMES, *Merge) if f"`{name}`" not in text] == []
