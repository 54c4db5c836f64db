"""Names: made from what the caller hands in, and the same in every spelling."""

from __future__ import annotations

import uuid

import pytest

from gridlog_protocol.ids import is_record_id, read, record_id, shown


def test_a_record_id_is_a_uuid_of_version_7_with_the_time_first() -> None:
    made = uuid.UUID(bytes=record_id(0x0123456789AB, b"\xff" * 10))

    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == 0x0123456789AB


def test_record_ids_of_later_times_sort_later() -> None:
    assert record_id(1, b"\xff" * 10) < record_id(2, bytes(10))


@pytest.mark.parametrize(("unix_ms", "entropy"), [(-1, bytes(10)), (1 << 48, bytes(10)), (0, bytes(9))])
def test_a_record_id_needs_a_48_bit_time_and_10_bytes_of_entropy(unix_ms: int, entropy: bytes) -> None:
    with pytest.raises(ValueError, match="a record id takes"):
        record_id(unix_ms, entropy)


UUID4 = uuid.UUID("9f6c1f0e-6a0a-4d35-9d3c-0a52b86f2a11").bytes


@pytest.mark.parametrize("raw", [b"", bytes(16), UUID4, record_id(5, bytes(10))[:15]])
def test_other_bytes_are_no_record_id(raw: bytes) -> None:
    assert not is_record_id(raw)


@pytest.mark.parametrize("raw", [bytes(range(16)), bytes(range(8)), b""])
def test_an_id_that_people_read_can_be_read_back(raw: bytes) -> None:
    assert read(shown(raw)) == raw


def test_sixteen_bytes_are_shown_as_a_uuid() -> None:
    assert shown(bytes(range(16))) == str(uuid.UUID(bytes=bytes(range(16))))
