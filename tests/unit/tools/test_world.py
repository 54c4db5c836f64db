"""An invented street below real communities."""

import re
from pathlib import Path

from gridlog_protocol.ids import is_record_id
from tools.demo.world import Street, make_street, make_workers
from tools.dice import dice
from tools.divisions.extract import read_extract

KEPT = Path(__file__).parents[3] / "tools/demo/data/420106001.json"


def street(seed: int = 1, grids_per_community: int = 2) -> Street:
    return make_street(
        read_extract(KEPT.read_text("utf-8")),
        dice(seed),
        communities=3,
        grids_per_community=grids_per_community,
        households_per_grid=80,
        made_at_ms=1_795_000_000_000,
    )


def test_a_street_has_the_size_that_was_asked_for() -> None:
    made = street()
    assert made.tenant == "420106"
    assert made.name == "积玉桥街道"
    assert [grid.code for grid in made.grids()][:3] == [
        "420106001001001",
        "420106001001002",
        "420106001002001",
    ]
    assert {len(grid.households) for grid in made.grids()} == {80}


def test_the_same_seed_makes_the_same_street_and_workers() -> None:
    assert street() == street()
    assert street(1) != street(2)
    assert make_workers(street(), dice(3)) == make_workers(street(), dice(3))


def test_homes_have_ids_labels_and_phones_of_the_right_form() -> None:
    homes = [home for grid in street().grids() for home in grid.households]
    assert all(is_record_id(home.household_id) for home in homes)
    assert len({home.household_id for home in homes}) == len(homes)
    assert all(re.fullmatch(r"[0-9]+-[1-3]-[1-6]0[12]", home.label) for home in homes)
    assert all(re.fullmatch(r"1990000[0-9]{4}", home.contact_phone) for home in homes)
    assert all(home.resident_count == 0 for home in homes if home.occupancy == "vacant")


def test_no_two_homes_of_a_grid_have_the_same_label() -> None:
    for grid in street().grids():
        assert len({home.label for home in grid.households}) == len(grid.households)


def test_every_worker_has_a_partner_who_shares_the_same_grids() -> None:
    workers = {worker.staff_no: worker for worker in make_workers(street(), dice(3))}
    assert len(workers) == 12
    for worker in workers.values():
        partner = workers[worker.partner]
        assert partner.partner == worker.staff_no != partner.staff_no
        assert partner.grids == worker.grids
        assert partner.user_id == worker.partner_id


def test_pairs_may_share_several_grids_and_every_grid_is_looked_after() -> None:
    made = street(grids_per_community=1)
    workers = make_workers(made, dice(3), grids_per_pair=2)
    assert [len(worker.grids) for worker in workers] == [2, 2, 1, 1]
    assert {code for worker in workers for code in worker.grids} == {grid.code for grid in made.grids()}
