"""What happens in the demo's day, act by act.

morning   everybody enrols and fetches the street over a good line
offline   nobody has a signal; patrols, visits and mediations are written; one handheld is killed in mid-save, three
          have wrong clocks, and one writes its day three days ago
noon      lines that cut: what was written goes up, partners get each other's records
offline   partners edit the same records, neither knowing of the other
evening   what is done is handed in for review; lines that cut again; one handheld is killed in mid-sync
night     a good line, until everybody holds the same
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import UserId
from gridlog_protocol.invitation import Invitation
from tools.demo.actors import GOOD_LINE, NO_SIGNAL, DemoError, HandheldProcess, ServerProcess, bad_line
from tools.demo.acts import CHINA
from tools.demo.day import Act, Load, Write, plan_day, plan_shared_edits
from tools.demo.grammar import Grammar
from tools.demo.handheld import items, raw_bytes
from tools.demo.world import Street, Worker
from tools.dice import dice
from tools.proxy import Faults

CUTS = 3
AT_ONCE = 4
"""Handhelds that work at the same moment: more would only wait for the same two cores."""

_HANDED_IN = 0.7

Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class Script:
    """The day's course, and what it has brought about so far."""

    seed: int
    day: date
    street: Street
    server: ServerProcess
    handhelds: Sequence[HandheldProcess]
    load: Load
    progress: Progress
    records: dict[str, bytes] = field(default_factory=dict)
    writes: dict[str, tuple[HandheldProcess, Write]] = field(default_factory=dict)
    shared: int = 0
    cuts: int = 0
    submitted: int = 0
    office: list[tuple[str, str, str, str]] = field(default_factory=list)
    is_equal: dict[str, bool] = field(default_factory=dict)

    async def play(self) -> None:
        """Play the whole day. Raises DemoError if something cannot go on."""
        await self._each("morning: enrol and fetch", self._enrol, GOOD_LINE)
        await self._each("offline: write the day", self._write_day, NO_SIGNAL)
        await self._each("noon: cut lines", self._sync, None)
        await self._each("partners catch up", self._sync, GOOD_LINE)
        await self._edit_shared_records()
        await self._each("offline: hand in what is done", self._submit, NO_SIGNAL)
        await self._kill_in_mid_sync()
        await self._each("evening: cut lines", self._sync, None)
        await self._each("night: last exchange", self._sync, GOOD_LINE)
        await self._each("night: everybody equal", self._sync, GOOD_LINE)

    async def _each(
        self, title: str, act: Callable[[HandheldProcess], Awaitable[None]], faults: Faults | None
    ) -> None:
        """Let every handheld act, a few at a time. Without `faults` the lines are cut."""
        done = 0
        self.progress(title, 0, len(self.handhelds))
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(handheld: HandheldProcess) -> None:
            nonlocal done
            async with gate:
                before = handheld.link.cuts
                handheld.link.faults = faults or bad_line(before + CUTS)
                handheld.link.drop_all()
                await act(handheld)
                self.cuts += handheld.link.cuts - before if faults is None else 0
            done += 1
            self.progress(title, done, len(self.handhelds))

        async with asyncio.TaskGroup() as group:
            for handheld in self.handhelds:
                group.create_task(one(handheld))

    async def _enrol(self, handheld: HandheldProcess) -> None:
        await handheld.start()
        invitation = await self.server.invite(handheld.worker)
        through_the_line = Invitation(
            f"http://127.0.0.1:{handheld.link.port}", invitation.secret, invitation.fingerprint
        )
        event = await handheld.ask({"do": "enrol", "code": through_the_line.code()})
        handheld.worker = replace(handheld.worker, user_id=UserId(raw_bytes(event["user"])))
        await handheld.sync()

    async def _write_day(self, handheld: HandheldProcess) -> None:
        worker = handheld.worker
        rng = dice(self.seed, "day", worker.staff_no)
        planned = plan_day(worker, self.street, rng, Grammar.load(), self._day_of(worker), load=self.load)
        acts = [act for act in planned if act.fields]
        killed_at = len(acts) // 2 if handheld is self.handhelds[0] else None
        await handheld.go_back(handheld.clock.away_ms)
        for index, act in enumerate(acts):
            if index == killed_at:
                await self._kill_in_mid_save(handheld, act)
            else:
                await self._act(handheld, act)
        await handheld.go_back(0)

    def _day_of(self, worker: Worker) -> date:
        """Return the last day that is over on both phones of a pair, by their own clocks as they write it."""
        pair = (worker.staff_no, worker.partner)
        clocks = [each.clock for each in self.handhelds if each.worker.staff_no in pair]
        behind_ms = max(0, *(clock.away_ms - clock.ahead_ms for clock in clocks))
        return (datetime.now(CHINA) - timedelta(days=1, milliseconds=behind_ms)).date()

    async def _act(self, handheld: HandheldProcess, act: Act) -> None:
        record = await handheld.save(self._command(act))
        self._note(handheld, act, record)

    def _command(self, act: Act) -> dict[str, Value]:
        if isinstance(act, Write):
            return {"do": "write", "kind": act.kind, "values": act.fields}
        return {"do": "change", "record": self.records[act.key], "values": act.fields}

    def _note(self, handheld: HandheldProcess, act: Act, record: bytes) -> None:
        self.records[act.key] = record
        if isinstance(act, Write):
            self.writes[act.key] = (handheld, act)

    async def _kill_in_mid_save(self, handheld: HandheldProcess, act: Act) -> None:
        """Kill the process while it saves, start it again, and see that everything it called saved is there."""
        handheld.tell(self._command(act))
        await asyncio.sleep(dice(self.seed, "kill").uniform(0.0, 0.01))
        await handheld.kill()
        await handheld.start()
        pending = [items(each) for each in items((await handheld.ask({"do": "inventory"}))["pending"])]
        found = {(each[0], each[1], each[2]) for each in pending}
        lost = [each for each in handheld.saved if each not in found]
        if lost:
            raise DemoError(f"{handheld.worker.staff_no}: {len(lost)} saved ops are gone after SIGKILL")
        if len(pending) > len(handheld.saved):
            # It was on the disk already, only nobody had been told: count it, and do not write it twice.
            last = pending[-1]
            handheld.note_saved(last)
            self._note(handheld, act, raw_bytes(last[3]))
        else:
            await self._act(handheld, act)

    async def _edit_shared_records(self) -> None:
        """Let partners open the same forms, and only then write, so that neither has seen the other's edit."""
        by_staff_no = {each.worker.staff_no: each for each in self.handhelds}
        chosen = [
            (key, handheld, write)
            for key, (handheld, write) in sorted(self.writes.items())
            if handheld.worker.partner in by_staff_no and dice(self.seed, "shared", key).random() < 0.25
        ]
        title = "offline: partners edit the same records"
        for number, (key, handheld, write) in enumerate(chosen):
            self.progress(title, number, len(chosen))
            partner = by_staff_no[handheld.worker.partner]
            pair = (handheld.worker, partner.worker)
            rng = dice(self.seed, "shared edits", key)
            mine, theirs = plan_shared_edits(write, pair, self.street, rng, Grammar.load(), self._day_of(pair[0]))
            for each in (handheld, partner):
                await each.ask({"do": "open", "record": self.records[key]})
            for each, changes in ((handheld, mine), (partner, theirs)):
                for change in changes:
                    if change.fields:
                        await self._act(each, change)
            self.shared += 1
        self.progress(title, len(chosen), len(chosen))

    async def _kill_in_mid_sync(self) -> None:
        """Kill a handheld while its request is on the way; it starts again and has lost nothing."""
        victim = self.handhelds[-1]
        victim.link.faults = Faults(delay_ms=120, piece_bytes_max=900)
        victim.tell({"do": "sync"})
        await asyncio.sleep(dice(self.seed, "kill in mid-sync").uniform(0.02, 0.4))
        await victim.kill()
        await victim.start()

    async def _submit(self, handheld: HandheldProcess) -> None:
        """Hand in most of one's own notes for review; a note that lacks something yet stays a draft."""
        rng = dice(self.seed, "submits", handheld.worker.staff_no)
        for key, (writer, _) in sorted(self.writes.items()):
            if writer is handheld and rng.random() < _HANDED_IN:
                event = await handheld.ask({"do": "submit", "record": self.records[key]})
                if event["event"] == "saved":
                    handheld.note_saved(items(event["op"]))
                    self.submitted += 1

    async def _sync(self, handheld: HandheldProcess) -> None:
        self.is_equal[handheld.worker.staff_no] = await handheld.sync()
