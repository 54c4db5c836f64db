from __future__ import annotations

from gridlog_protocol.ids import shown
from gridlog_protocol.invitation import read_invitation
from gridlog_server.service.accounts import Role
from gridlog_server.service.permitting import PROOF_FRESH_MS
from tests.unit.console.browsing import PASSWORD, Console
from tests.unit.server.building import EAST, Handset


async def test_a_code_is_shown_to_the_session_that_ordered_it_and_works_once(console: Console) -> None:
    await console.server.people.add("W1", "张三", [EAST], by="root")
    browser = await console.signed_in("A1", Role.ADMINISTRATOR)
    other = await console.signed_in("A2", Role.ADMINISTRATOR)

    made = await browser.post("/console/people/W1/enrol")
    page = await browser.get(made.location)
    code = page.text.split('id="code-text">')[1].split("<")[0]
    drawn = await browser.get(f"{made.location}/code.svg")

    assert code not in made.location
    assert (drawn.status, drawn.headers["Content-Type"].split(";")[0]) == (200, "image/svg+xml")
    assert "<style" not in drawn.text
    for tail in ("", "/code.svg", "/used"):
        assert (await other.get(made.location + tail)).status == 404
    assert "等待扫描" in (await browser.get(f"{made.location}/used")).text
    handset = Handset(console.server.keys.public)
    handset.take_enrolment(await console.server.enrolment.answer(handset.ask_to_enrol(read_invitation(code))))
    assert "已登记" in (await browser.get(f"{made.location}/used")).text


async def test_what_cannot_be_taken_back_wants_the_password_once_more_after_five_minutes(console: Console) -> None:
    handset = await console.server.enrolled("W1", EAST)
    browser = await console.signed_in("A1", Role.ADMINISTRATOR)
    console.server.clock.now_ms += PROOF_FRESH_MS + 1
    device = f"/console/devices/{shown(handset.device)}"
    acts = {
        f"{device}/lost": {"reason": "在公交车上遗失"},
        f"{device}/revoke": {"reason": "确认遗失"},
        "/console/people/W1/enrol": {},
        "/console/people/W1/roles": {"role": "administrator"},
        "/console/people/W1/password": {},
    }

    for path, fields in acts.items():
        for proof in ({}, {"proof": "not the password"}):
            refused = await browser.post(path, fields | proof)
            assert refused.status == 422, path
            assert 'name="proof"' in refused.text

    line = await console.server.inspection.device(shown(handset.device))
    assert line.device.status == "active"
    console.server.clock.now_ms += 60_000
    done = await browser.post(f"{device}/lost", {"reason": "在公交车上遗失", "proof": PASSWORD})
    assert done.status == 303
    assert 'name="proof"' not in (await browser.get(f"{device}/revoke")).text
    assert "等待终端联系" in (await browser.get(device)).text


async def test_a_new_password_is_shown_once_and_stands_in_no_address(console: Console) -> None:
    await console.server.people.add("W1", "张三", [EAST], by="root")
    browser = await console.signed_in("A1", Role.ADMINISTRATOR)

    made = await browser.post("/console/people/W1/password")
    password = made.text.split('console-secret">')[1].split("<")[0]
    later = await browser.get("/console/people/W1")

    assert made.status == 200
    assert password not in later.text
    await console.server.accounts.sign_in("W1", password, address="x")


async def test_devices_with_a_problem_are_found_by_it(console: Console) -> None:
    silent = await console.server.enrolled("W1", EAST)
    console.server.clock.now_ms += 3_600_000
    await console.server.exchanged(silent)
    console.server.clock.now_ms += 4 * 86_400_000
    never = await console.server.enrolled("W2", EAST)
    lost = await console.server.enrolled("W3", EAST)
    browser = await console.signed_in("A1", Role.ADMINISTRATOR)
    await browser.post(f"/console/devices/{shown(lost.device)}/lost", {"reason": "在公交车上遗失"})

    names = {shown(silent.device): "silent", shown(never.device): "never", shown(lost.device): "lost"}
    for problem in names.values():
        text = (await browser.get(f"/console/devices?problem={problem}")).text
        assert [name for device, name in names.items() if device in text] == [problem]


async def test_a_person_with_any_staff_number_has_a_page(console: Console) -> None:
    browser = await console.signed_in("A1", Role.ADMINISTRATOR)
    for staff_no in ("a/b", "a b", "张?三#1", "%2F", "..", "new"):
        made = await browser.post("/console/people/new", {"staff_no": staff_no, "name": "某人"})
        assert made.status == 303, staff_no
        assert (await browser.get(made.location)).status == 200, made.location


async def test_what_was_typed_is_kept_when_a_person_cannot_be_added(console: Console) -> None:
    browser = await console.signed_in("A1", Role.ADMINISTRATOR)
    refused = await browser.post("/console/people/new", {"staff_no": "A1", "name": "李四"})
    assert refused.status == 422
    assert "已有人使用" in refused.text
    assert 'value="李四"' in refused.text
