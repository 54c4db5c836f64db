"""What a repair says about a record: which side lacks what, which fields differ, and which side is newer."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from gridlog_protocol.state import RecordState
from gridlog_sync.discrepancies import discrepancies
from tests.unit.sync.building import Worker, log_of, put, state_of

WANG = Worker(1)
CREATION = WANG.writes(put("summary", "a secret"), put("weather", "fog"))
BEFORE = state_of(log_of(CREATION))
AFTER = state_of(log_of(CREATION, WANG.writes(put("summary", "another"))))


def without(state: RecordState, name: str) -> RecordState:
    return replace(
        state, fields=MappingProxyType({each: state.fields[each] for each in state.fields if each != name})
    )


@pytest.mark.parametrize(
    ("mine", "theirs", "said"),
    [
        (None, BEFORE, ["missing here"]),
        (BEFORE, None, ["not at the server"]),
        (BEFORE, AFTER, ["summary differs, newer at the server"]),
        (AFTER, BEFORE, ["summary differs, newer here"]),
        (without(BEFORE, "weather"), AFTER, ["summary differs, newer at the server", "weather missing here"]),
        (BEFORE, without(BEFORE, "weather"), ["weather missing at the server"]),
        (replace(BEFORE, kind="visit"), BEFORE, ["kind or origin differs"]),
        (BEFORE, BEFORE, []),
    ],
)
def test_each_difference_is_named_with_the_side_that_is_newer(
    mine: RecordState | None, theirs: RecordState | None, said: list[str]
) -> None:
    assert [*discrepancies(mine, theirs)] == said


def test_a_field_merged_wrongly_from_the_same_ops_is_equally_new() -> None:
    wrong = BEFORE.fields["summary"]._replace(digest_class=1)
    mine = replace(BEFORE, fields=MappingProxyType({**BEFORE.fields, "summary": wrong}))
    assert [*discrepancies(mine, BEFORE)] == ["summary differs, equally new"]
