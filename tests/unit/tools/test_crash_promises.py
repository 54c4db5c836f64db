"""When a store that was cut off has kept its promises."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tools.crash.account import Account, Harm, Stand, judged

MISSING, WIPED = Account(Stand.MISSING), Account(Stand.WIPED)
ONE = Account(Stand.OPEN, ("e", "1"), ("1",), "one", frozenset({"passphrase", "pin"}), 0, "i", "keys")
TWO = replace(ONE, facts=("e", "1", "2", "3"), ops=("1", "2", "3"), shown="three")


def harm(found: Account | str, promised: Account, coming: Account | None = None) -> Harm | None:
    finding = judged(found, promised, coming)
    return finding.harm if finding else None


@pytest.mark.parametrize(("promised", "coming"), [(ONE, TWO), (MISSING, ONE), (ONE, WIPED), (WIPED, ONE)])
def test_within_a_step_it_is_as_before_or_as_after(promised: Account, coming: Account) -> None:
    assert harm(promised, promised, coming) is None
    assert harm(coming, promised, coming) is None


def test_what_was_acknowledged_and_is_not_there_is_lost() -> None:
    assert harm(ONE, TWO) is Harm.LOST
    assert harm(MISSING, ONE) is Harm.LOST
    assert harm(replace(ONE, ops=(), shown="none"), ONE) is Harm.LOST


def test_half_of_a_save_is_corrupt() -> None:
    half = replace(TWO, facts=TWO.facts[:3], ops=TWO.ops[:2], shown="two")
    assert harm(half, ONE, TWO) is Harm.CORRUPT


def test_what_was_never_begun_is_not_there() -> None:
    assert harm(TWO, ONE) is Harm.CORRUPT


def test_other_values_are_corrupt() -> None:
    assert harm(replace(ONE, shown="another"), ONE) is Harm.CORRUPT


def test_keys_and_journal_may_be_changed_one_after_the_other() -> None:
    coming = replace(TWO, incarnation="j")
    assert harm(replace(ONE, incarnation="j"), ONE, coming) is None


def test_a_retired_pin_does_not_come_back_and_a_new_one_stays() -> None:
    changed = replace(ONE, opens=frozenset({"passphrase", "other pin"}))
    assert harm(changed, ONE, changed) is None
    assert harm(ONE, changed) is Harm.LOST
    assert harm(replace(ONE, opens=ONE.opens | changed.opens), ONE, changed) is Harm.CORRUPT


def test_an_attempt_that_was_counted_stays_counted() -> None:
    twice = replace(ONE, attempts=2)
    assert harm(replace(ONE, attempts=1), twice) is Harm.LOST
    assert harm(replace(ONE, attempts=3), twice) is Harm.CORRUPT
    # Within the next attempt it is counted already.
    assert harm(replace(ONE, attempts=3), twice, replace(ONE, attempts=3)) is None


def test_a_wiped_store_never_opens_again() -> None:
    assert harm(ONE, WIPED) is Harm.CORRUPT
    assert harm(MISSING, ONE, WIPED) is Harm.LOST


def test_where_a_store_is_made_in_the_place_of_a_wiped_one_there_may_be_none_meanwhile() -> None:
    assert harm(MISSING, WIPED, ONE) is None
    assert harm(MISSING, WIPED) is Harm.CORRUPT


def test_a_store_that_cannot_be_described_is_corrupt() -> None:
    assert harm("StoreDamagedError", ONE, TWO) is Harm.CORRUPT
