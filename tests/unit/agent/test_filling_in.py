"""A form on the way: each field is saved as it is left, kept when the store locks, judged when it is finished."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import RecordId
from gridlog_protocol.kinds import shipped_kinds
from tests.unit.agent.browsing import Browser, browsing, posted_form
from tests.unit.client.stores import PASSPHRASE

KINDS = [kind.name for kind in shipped_kinds()]
FACTS = "两家为楼道里的自行车争吵。"
DISPUTE = (
    ("facts", FACTS),
    ("source", "application"),
    ("dispute_category", "neighbours"),
    ("risk_level", "low"),
    ("confidentiality", "normal"),
)


def naming(*pairs: tuple[str, str]) -> list[tuple[str, str]]:
    """Return the pairs with the fields that they are of, as a page sends them."""
    return [*pairs, *(("field", name.partition(".")[0].partition(":")[0]) for name, _ in pairs)]


async def home(browser: Browser, label: str = "3-2-502") -> bytes:
    """Put a home on the phone, and return what visits name it by."""
    household = bytes(range(16))
    place: dict[str, Value] = {"grid_code": "420106001001001", "household_id": household}
    values: dict[str, Value] = {**place, "label": label, "contact_name": "李四"}
    await browser.phone.store.create("household", values)
    return household


@pytest.mark.parametrize("kind", KINDS)
async def test_the_form_of_every_kind_comes_back_as_it_was_shown_and_changes_nothing(
    browser: Browser, kind: str
) -> None:
    form = await browser.go(f"/new/{kind}")
    before = await browser.phone.store.drafts()

    await browser.go(form, *posted_form(await browser.see(form)))

    assert await browser.phone.store.drafts() == before


@pytest.mark.parametrize("kind", KINDS)
async def test_a_form_that_lacks_something_says_what_at_the_field(browser: Browser, kind: str) -> None:
    form = await browser.go(f"/new/{kind}")
    await browser.go(form, ("field", "occurred_at"), ("action", "finish"))

    drafts = await browser.phone.store.drafts()
    page = await browser.see(form if drafts else "/")

    for draft in drafts:
        for each in browser.phone.recalled.faults[draft.id]:
            assert each.text.zh in page
            assert f'href="#field-{each.field}"' in page


async def test_a_field_is_in_the_store_as_soon_as_it_is_left(browser: Browser) -> None:
    form = await browser.go("/new/mediation")

    told = await browser.script(form, *naming(("facts", FACTS)))

    (draft,) = await browser.phone.store.drafts()
    assert told == {"is_locked": False, "faults": {}}
    assert draft.values["facts"] == FACTS


async def test_a_wrong_value_is_kept_and_its_reason_told(browser: Browser) -> None:
    form = await browser.go("/new/mediation")

    told = await browser.script(form, *naming(("amount", "三千多")))

    (draft,) = await browser.phone.store.drafts()
    assert draft.values["amount"] == "三千多"
    assert told["faults"] == {"amount": "“涉案金额（元）”请填数字，例如 12.50。"}
    assert 'value="三千多"' in await browser.see(form)


async def test_a_finished_form_is_a_record_on_this_phone_only(browser: Browser) -> None:
    form = await browser.go("/new/mediation")

    record = await browser.go(form, *naming(*DISPUTE), ("action", "finish"))

    page = await browser.see(record)
    assert FACTS in page
    assert "只在本机" in page
    assert await browser.phone.store.drafts() == []


async def test_a_form_handed_in_for_review_says_so(browser: Browser) -> None:
    form = await browser.go("/new/mediation")

    record = await browser.go(form, *naming(*DISPUTE), ("action", "submit"))

    saved = await browser.phone.store.get(RecordId(bytes.fromhex(record.rpartition("/")[2])))
    assert saved.values["review_state"] == "submitted"


async def test_what_a_step_of_the_workflow_still_needs_is_asked_for(browser: Browser) -> None:
    form = await browser.go("/new/mediation")

    back = await browser.go(form, *naming(*DISPUTE, ("state", "agreed")), ("action", "finish"))

    page = await browser.see(back)
    assert back == form
    assert "请填写“调解记录”。" in page
    assert "请填写“调解结果”。" in page


async def test_rows_are_added_filled_in_and_taken_away(browser: Browser) -> None:
    form = await browser.go("/new/mediation")
    await browser.go(form, ("action", "add:parties"))
    await browser.go(form, ("action", "add:parties"))
    (draft,) = await browser.phone.store.drafts()
    rows = draft.values["parties"]
    assert isinstance(rows, list)
    first, second = (str(row["id"]) for row in rows if isinstance(row, dict))

    sent = [("parties:row", first), ("parties:row", second), (f"parties.{first}.name", "王某")]
    await browser.go(form, *naming(*sent), ("action", f"drop:parties:{second}"))

    (draft,) = await browser.phone.store.drafts()
    assert draft.values["parties"] == [{"id": first, "name": "王某"}]


async def test_what_is_typed_after_the_lock_is_sealed_and_there_when_it_opens(browser: Browser) -> None:
    form = await browser.go("/new/mediation")
    await browser.go("/lock")

    told = await browser.script(form, *naming(("facts", FACTS)))

    assert told == {"is_locked": True, "faults": {}}
    await browser.unlock()
    assert FACTS in await browser.see(form)


async def test_what_is_typed_into_a_page_that_outlived_the_app_is_refused_and_not_lost(enrolled: Path) -> None:
    async with browsing(enrolled) as browser:
        await browser.unlock()
        form = await browser.go("/new/mediation")
    async with browsing(enrolled) as browser:
        told = await browser.script(form, *naming(("facts", FACTS)), status=423)
        assert told == {"phase": "locked"}
        await browser.unlock()

        await browser.script(form, *naming(("facts", FACTS)))

        assert FACTS in await browser.see(form)


async def test_editing_sends_only_what_differs(browser: Browser) -> None:
    record = await browser.go(await browser.go("/new/mediation"), *naming(*DISPUTE), ("action", "finish"))
    form = await browser.go(f"{record}/edit")
    shown = posted_form(await browser.see(form))

    changed = [(name, "high" if name == "risk_level" else text) for name, text in shown]
    await browser.go(form, *changed, ("action", "finish"))

    newest = (await browser.phone.store.pending())[-1]
    assert newest.fields == ("risk_level",)


async def test_what_a_list_has_already_is_shown_and_not_asked_again(browser: Browser) -> None:
    patrol = (await browser.go("/patrol")).rpartition("/")[2]
    checked = [("checkpoint", "西门岗亭"), ("result", "abnormal"), ("note", "二维码被遮住")]
    await browser.go(f"/patrol/{patrol}/check-in", *checked)
    await browser.go(f"/form/patrol/{patrol}", ("action", "finish"))

    form = await browser.go(f"/record/{patrol}/edit")
    page = await browser.see(form)

    assert "已登记，不能再改。" in page
    assert "<b>结果</b> 异常" in page
    assert not [name for name, _ in posted_form(page) if name.startswith("checkpoints")]


async def test_nobody_home_is_one_tap(browser: Browser) -> None:
    household = await home(browser)

    record = await browser.go("/visits/new", ("home", household.hex()), ("as", "not_home"))

    (visit,) = await browser.phone.store.query("household_visit")
    assert record == f"/record/{visit.id.hex()}"
    assert visit.values["result"] == "not_home"
    assert visit.values["consent"] == {"informed": False, "scope": []}


async def test_nothing_has_changed_is_one_tap_only_where_consent_was_given_before(browser: Browser) -> None:
    household = await home(browser)

    first = await browser.go("/visits/new", ("home", household.hex()), ("as", "unchanged"))
    given = [("consent.informed", "yes"), ("consent.scope", "diary"), ("consent.method", "oral")]
    await browser.go(first, *naming(*given), ("action", "finish"))
    second = await browser.go("/visits/new", ("home", household.hex()), ("as", "unchanged"))

    assert first.startswith("/form/household_visit/")
    assert second.startswith("/record/")
    visits = await browser.phone.store.query("household_visit")
    assert [each.values["consent"] for each in visits] == [
        {"informed": True, "scope": ["diary"], "method": "oral"}
    ] * 2


async def test_a_consent_that_was_taken_back_is_asked_for_again(browser: Browser) -> None:
    household = await home(browser)
    for informed, scope in (("yes", "diary"), ("no", "")):
        form = await browser.go("/visits/new", ("home", household.hex()), ("as", "form"))
        said = [
            ("consent.informed", informed),
            ("consent.scope", scope),
            ("result", "met"),
            ("content", "一切如常。"),
        ]
        await browser.go(form, *naming(*said), ("action", "finish"))

    third = await browser.go("/visits/new", ("home", household.hex()), ("as", "unchanged"))

    assert third.startswith("/form/")


async def test_a_home_is_found_by_building_door_and_name(browser: Browser) -> None:
    household = await home(browser)

    assert household.hex() in await browser.see("/visits/of/0")
    for words in ("3-2", "李四", "502 李"):
        await browser.go("/visits", ("words", words))
        assert household.hex() in await browser.see("/visits")
    await browser.go("/visits", ("words", "王五"))
    assert household.hex() not in await browser.see("/visits")


async def test_search_finds_records_and_drafts_and_leaves_no_trace_in_an_address(browser: Browser) -> None:
    await browser.go(await browser.go("/new/mediation"), *naming(*DISPUTE), ("action", "finish"))
    form = await browser.go("/new/incident")
    await browser.script(form, *naming(("description", "自行车堵了通道")))

    assert await browser.go("/search", ("words", "自行车")) == "/search"

    page = await browser.see("/search")
    assert FACTS in page
    assert "自行车堵了通道" in page


async def test_a_reference_is_chosen_by_its_words(browser: Browser) -> None:
    household = await home(browser)
    form = await browser.go("/new/household_visit")

    pick = await browser.go(form, ("action", "pick:household_id"))
    await browser.go(pick, ("words", "李四"))
    assert household.hex() in await browser.see(pick)
    await browser.go(pick, ("chosen", household.hex()))

    (draft,) = await browser.phone.store.drafts()
    assert draft.values["household_id"] == household


async def test_a_remark_joins_the_record(browser: Browser) -> None:
    record = await browser.go(await browser.go("/new/mediation"), *naming(*DISPUTE), ("action", "finish"))

    await browser.go(f"{record}/comment", ("text", "已约好周三再谈。"))

    assert "张三：已约好周三再谈。" in await browser.see(record)


async def test_a_draft_is_thrown_away_only_when_asked(browser: Browser) -> None:
    form = await browser.go("/new/mediation")
    await browser.script(form, *naming(("facts", FACTS)))

    assert await browser.go(form, ("action", "discard")) == "/"

    assert await browser.phone.store.drafts() == []


async def test_two_saves_of_one_field_end_with_the_second(browser: Browser) -> None:
    form = await browser.go("/new/mediation")

    await asyncio.gather(*(browser.script(form, *naming(("facts", text))) for text in ("先写的", FACTS)))
    await browser.script(form, *naming(("facts", FACTS)))

    (draft,) = await browser.phone.store.drafts()
    assert draft.values["facts"] == FACTS
    assert PASSPHRASE not in str(draft)
