"""Finding the few records in which two replicas differ, and how little of it travels."""

from __future__ import annotations

from random import Random

import pytest

from gridlog_protocol.canonical import pack
from gridlog_protocol.ids import RecordId, record_id
from gridlog_protocol.repair import (
    Bodies,
    answer_row,
    question_row,
    read_answer,
    read_question,
)
from gridlog_sync.reconcile import children, details, differences, fingerprint, overview
from tools.dice import dice as dice_of

START_MS = 1_795_000_000_000


def thrown(seed: int) -> Random:
    return dice_of(seed, "reconcile")


def replica(size: int, dice: Random) -> dict[RecordId, int]:
    return {record_id(START_MS + at, dice.randbytes(10)): dice.getrandbits(64) for at in range(size)}


def damaged(whole: dict[RecordId, int], count: int, dice: Random) -> dict[RecordId, int]:
    other = dict(whole)
    for at, record in enumerate(dice.sample(sorted(whole), count)):
        match at % 3:
            case 0:
                del other[record]
            case 1:
                other[record] ^= 1
            case _:
                other[record_id(START_MS, dice.randbytes(10))] = dice.getrandbits(64)
    return other


@pytest.mark.parametrize(("size", "count"), [(0, 0), (1, 1), (10, 10), (300, 3), (3_000, 3), (10_000, 20)])
def test_two_questions_find_every_difference_and_nothing_else(size: int, count: int) -> None:
    dice = thrown(size)
    server = replica(size, dice)
    device = damaged(server, count, dice)

    first = children(overview(device), server)
    wanted, dropped = differences(details(first, device), server)

    assert wanted == sorted(record for record in server if device.get(record) != server[record])
    assert dropped == sorted(set(device) - set(server))


def test_twenty_differences_among_ten_thousand_cost_less_than_twelve_kilobytes() -> None:
    dice = thrown(7)
    server = replica(10_000, dice)
    device = damaged(server, 20, dice)

    question = overview(device)
    answer = children(question, server)
    second = details(answer, device)
    rows = [question_row(question), answer_row(answer), question_row(second)]

    assert sum(len(pack(row)) for row in rows) <= 12_000
    assert read_question(rows[0]) == question
    assert read_answer(rows[1]) == answer
    assert read_question(rows[2]) == second


def test_equal_replicas_ask_for_nothing() -> None:
    same = replica(500, thrown(1))

    assert children(overview(same), same).ranges == {}


def test_bodies_travel_with_the_names_of_what_has_to_go() -> None:
    gone = record_id(START_MS, bytes(10))

    assert read_answer(answer_row(Bodies((), (gone,)))) == Bodies((), (gone,))


def test_a_fingerprint_tells_classes_apart() -> None:
    assert fingerprint({0: 1}) != fingerprint({1: 1})
