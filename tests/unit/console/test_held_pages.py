from __future__ import annotations

import pytest

from gridlog_protocol.decisions import Verdict
from gridlog_protocol.ids import OpId, shown
from gridlog_protocol.ops import Op
from gridlog_server.console.naming import held_path
from gridlog_server.service.accounts import Role
from tests.unit.console.browsing import Browser, Console
from tests.unit.server.building import EAST, WEST, Handset, put

REASON = "不在她负责的网格内"
LIST = "/console/inbox?what=held"


@pytest.fixture
async def worker(console: Console) -> Handset:
    rows = [{"grid_code": code, "name": code, "parent_code": "420106001001", "level": "3"} for code in (EAST, WEST)]
    await console.server.grids.write(rows, by="root")
    return await console.server.enrolled("W1", EAST)


async def held(console: Console, worker: Handset) -> Op:
    """Return a record that waits because it is written for a grid that is not the worker's."""
    op = worker.creates(put("summary", "西边的井盖"), scope=WEST)
    await console.server.exchanged(worker, op)
    return op


async def verdict(console: Console, op: OpId) -> Verdict | None:
    async with console.server.store.reading() as snapshot:
        made = await snapshot.reviews.decision(op)
    return made.verdict if made else None


async def supervisor(console: Console, subtree: str = "") -> Browser:
    return await console.signed_in("S1", Role.SUPERVISOR, subtree=subtree)


async def test_the_list_leads_to_what_was_written_and_says_why_it_waits(console: Console, worker: Handset) -> None:
    op = await held(console, worker)
    browser = await supervisor(console)

    assert f'href="{held_path(op.id)}"' in (await browser.get(LIST)).text
    page = (await browser.get(held_path(op.id))).text

    assert "西边的井盖" in page
    assert "不在您负责的网格内" in page
    assert "网格员W1" in page
    assert shown(op.record) not in page, "there is no record to look at yet"


async def test_what_is_released_takes_effect_and_names_whoever_did_it(console: Console, worker: Handset) -> None:
    op = await held(console, worker)
    browser = await supervisor(console)

    done = await browser.post(f"{held_path(op.id)}/release", {"reason": ""})

    assert (done.status, done.location) == (303, f"{LIST}&said=released")
    assert await verdict(console, op.id) is Verdict.RELEASED
    assert "西边的井盖" in (await browser.get(f"/console/records/{shown(op.record)}")).text
    assert (await browser.get(held_path(op.id))).status == 404
    async with console.server.store.reading() as snapshot:
        made = await snapshot.reviews.decision(op.id)
    assert made is not None
    assert made.ruling.by.startswith("S1 ")


async def test_a_refusal_wants_a_reason_and_keeps_what_was_typed(console: Console, worker: Handset) -> None:
    op = await held(console, worker)
    browser = await supervisor(console)

    short = await browser.post(f"{held_path(op.id)}/reject", {"reason": "不行"})
    assert short.status == 422
    assert ">不行</textarea>" in short.text
    assert await verdict(console, op.id) is None

    done = await browser.post(f"{held_path(op.id)}/reject", {"reason": REASON})
    assert done.location == f"{LIST}&said=rejected"
    assert await verdict(console, op.id) is Verdict.REJECTED
    assert (await browser.get(f"/console/records/{shown(op.record)}")).status == 404


async def test_a_change_stands_beside_what_the_record_says_now(console: Console, worker: Handset) -> None:
    creation = worker.creates(put("summary", "原来的话"))
    await console.server.exchanged(worker, creation)
    edit = worker.writes(creation.record, put("summary", "搬到西边"), put("grid_code", WEST))
    await console.server.exchanged(worker, edit)
    browser = await supervisor(console)

    page = (await browser.get(held_path(edit.id))).text
    record = (await browser.get(f"/console/records/{shown(creation.record)}")).text

    assert page.index("原来的话") < page.index("搬到西边")
    assert f'href="/console/records/{shown(creation.record)}"' in page
    assert f'href="{held_path(edit.id)}"' in record


async def test_nobody_decides_elsewhere_or_about_what_he_wrote_himself(console: Console, worker: Handset) -> None:
    op = await held(console, worker)
    elsewhere = await console.signed_in("S2", Role.SUPERVISOR, subtree=WEST)
    herself = await console.signed_in("W1", Role.SUPERVISOR, Role.WORKER)
    form = {"reason": REASON}

    assert (await elsewhere.get(held_path(op.id))).status == 404
    for step in ("release", "reject"):
        assert (await elsewhere.post(f"{held_path(op.id)}/{step}", form)).status == 404
        assert (await herself.post(f"{held_path(op.id)}/{step}", form)).status == 403
    for name in ("x", f"{'0' * 32}-{'0' * 16}-1"):
        assert (await herself.get(f"/console/held/{name}")).status == 404

    assert await verdict(console, op.id) is None
