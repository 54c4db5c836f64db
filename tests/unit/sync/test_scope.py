"""Who may hold a record: the grids that its heads name."""

from __future__ import annotations

from gridlog_protocol.ids import TENANT_SCOPE
from gridlog_sync.scope import scopes_of_edit, scopes_of_record
from tests.unit.sync.building import EAST, WEST, Worker, kind, log_of, put, state_of


def test_a_record_is_in_the_grid_that_it_names() -> None:
    state = state_of(log_of(Worker(1).creates(put("grid_code", EAST))))

    assert scopes_of_record(state, kind()) == {EAST}


def test_while_two_grids_are_claimed_both_keep_the_record() -> None:
    ops = Worker(1).writes(put("grid_code", EAST)), Worker(2).writes(put("grid_code", WEST))

    assert scopes_of_record(state_of(log_of(*ops)), kind()) == {EAST, WEST}


def test_a_record_that_moved_is_in_the_new_grid_only() -> None:
    wang = Worker(1)
    ops = wang.writes(put("grid_code", EAST)), wang.writes(put("grid_code", WEST))

    assert scopes_of_record(state_of(log_of(*ops)), kind()) == {WEST}


def test_a_record_that_names_no_grid_is_in_none() -> None:
    unnamed = state_of(log_of(Worker(1).writes(put("summary", "a"))))
    cleared = state_of(log_of(Worker(1).writes(put("grid_code", None))))

    assert scopes_of_record(unnamed, kind()) == scopes_of_record(cleared, kind()) == frozenset()


def test_reference_data_is_the_tenants() -> None:
    state = state_of(log_of(Worker(1, of="grid").writes(put("name", "槐荫里"))))

    assert scopes_of_record(state, kind("grid")) == {TENANT_SCOPE}


def test_an_edit_wants_the_grids_that_it_writes() -> None:
    wang = Worker(1)

    assert scopes_of_edit(wang.writes(put("grid_code", WEST), put("summary", "a")), kind()) == {WEST}
    assert scopes_of_edit(wang.writes(put("summary", "a")), kind()) == frozenset()
    assert scopes_of_edit(wang.writes(put("grid_code", 5)), kind()) == frozenset()
    assert scopes_of_edit(Worker(1, of="grid").writes(put("grid_code", WEST)), kind("grid")) == frozenset()
