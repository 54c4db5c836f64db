"""What is played, each a short story of a store. To add one: a function, and a line in `SCENARIOS`."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from types import MappingProxyType

from gridlog.credentials import Badge, Credential, Pin
from gridlog.records import Record
from gridlog.store import FieldStore
from gridlog.vault_errors import PinDestroyedError, WrongPinError
from gridlog_protocol.canonical import Value
from gridlog_sync.writing import Add, Change
from tools.crash.account import Stand
from tools.crash.describing import WEAK
from tools.crash.scene import BADGE, GRID, PASSPHRASE, PIN, RECOVERY, Scenario, Scene, enrol

OTHER_PASSPHRASE = "另一句足够长的口令"  # noqa: S105 - of an invented store.
OTHER_PIN = Pin("739105", b"of this handheld")
WRONG_PIN = Pin("739106", b"of this handheld")
OTHER_BADGE = Badge(bytes(range(16, 32)))
_LONG_TEXT = "".join(chr(0x4E00 + index * 37 % 20_000) for index in range(3000))
_AT = "2026-11-10T09:10:00+08:00"
_PIN_PAUSE_MS = 3_600_000


async def nothing(scene: Scene) -> None:
    """Begin with an empty disk."""
    scene.is_now(Stand.MISSING)


async def a_store(scene: Scene) -> None:
    """Begin with a store of one patrol."""
    store = await scene.made()
    await enrol(store)
    await _patrol(store, "西门岗亭旁边的路灯不亮。")
    scene.keeps(store, opens=["passphrase"])
    await store.close()


async def a_guarded_store(scene: Scene) -> None:
    """Begin with a store that has all four slots: its key file is larger than a sector."""
    await a_store(scene)
    store = await scene.opened()
    await store.set_pin(PIN, current=PASSPHRASE, profile=WEAK)
    await store.set_badge(BADGE, current=PASSPHRASE, profile=WEAK)
    # What enrolment does with an organisation that has such a key.
    store._vault.set_recovery(RECOVERY.private_key.public_key().public_bytes_raw())  # noqa: SLF001
    scene.keeps(store, opens=["passphrase", "pin", "badge", "recovery"])
    await store.close()


async def a_wiped_store(scene: Scene) -> None:
    """Begin where a store was wiped."""
    await a_store(scene)
    await FieldStore.wipe_at(scene.directory)
    scene.is_now(Stand.WIPED)


async def make(scene: Scene) -> None:
    """Make a store, enrol, write the first note."""
    store = await scene.made()
    scene.keeps(store, opens=["passphrase"])
    await enrol(store)
    scene.keeps(store)
    await _patrol(store, "青石巷十个点位，九个正常。")
    scene.keeps(store)
    await store.close()


async def save(scene: Scene) -> None:
    """Open, write three notes, a long one among them, close, open, write one more."""
    store = await scene.opened()
    for summary in ("正常。", _LONG_TEXT[:400], "第三个点位积水。"):
        await _patrol(store, summary)
        scene.keeps(store)
    await store.close()
    store = await scene.opened()
    await _patrol(store, "积水已排。")
    scene.keeps(store)
    await store.close()


async def checkpoint(scene: Scene) -> None:
    """Write while the log is taken over into the file and begun anew: as on a long day, but after every few pages."""
    store = await scene.opened()
    connection = store._journal._connection  # noqa: SLF001 - only the number of pages is changed.
    await store._run(lambda: connection.execute("PRAGMA wal_autocheckpoint = 4"))  # noqa: SLF001
    for number in range(1, 6):
        await _patrol(store, f"第{number}个点位正常。")
        scene.keeps(store)
    await store.close()


async def edit(scene: Scene) -> None:
    """Edit a record twice and withdraw it: each save is on what the form showed."""
    store = await scene.opened()
    (record,) = await store.query("patrol")
    record = await store.edit(record, {"summary": "路灯已报修。"})
    scene.keeps(store)
    record = await store.edit(record, {"summary": "路灯修好了。", "patrol_type": "night"})
    scene.keeps(store)
    await store.withdraw(record, "与前一条重复")
    scene.keeps(store)
    await store.close()


async def save_in_two_ops(scene: Scene) -> None:
    """Save what the worker decides and what the office decides: two ops that are there together or not at all."""
    store = await scene.opened()
    household = await store.create("household", _HOUSEHOLD)
    scene.keeps(store)
    await store.edit(household, {"label": "青石巷 7 号", "visit_class": "key", "notes": _LONG_TEXT[:200]})
    scene.keeps(store)
    await store.close()


async def long_entry(scene: Scene) -> None:
    """Write an entry of several pages."""
    store = await scene.opened()
    (record,) = await store.query("patrol")
    remarks: list[Value] = [
        {"id": str(start), "by": store.user, "at": _AT, "text": _LONG_TEXT[start : start + 500]}
        for start in range(0, len(_LONG_TEXT), 500)
    ]
    await store.edit(record, {"comments": Add(tuple(remarks))})
    scene.keeps(store)
    await store.close()


async def pin(scene: Scene) -> None:
    """Change PIN and badge, mistype the PIN twice, open with the right one, take the PIN away."""
    store = await scene.opened()
    await store.set_pin(OTHER_PIN, current=PIN, profile=WEAK)
    scene.keeps(store, opens=["passphrase", "other pin", "badge", "recovery"])
    await store.set_badge(OTHER_BADGE, current=PASSPHRASE, profile=WEAK)
    scene.keeps(store, opens=["passphrase", "other pin", "other badge", "recovery"])
    await store.close()
    for attempts in (1, 2):
        with contextlib.suppress(WrongPinError):
            await scene.opened(WRONG_PIN)
        scene.promises(attempts=attempts)
    store = await scene.opened(OTHER_PIN)
    scene.promises(attempts=0)
    await store.set_pin(None, current=OTHER_PIN)
    scene.keeps(store, opens=["passphrase", "other badge", "recovery"])
    await store.close()


async def pin_destroyed(scene: Scene) -> None:
    """Mistype the PIN until it is destroyed."""
    for attempts in range(1, 10):
        scene.clock.now_ms += _PIN_PAUSE_MS
        with contextlib.suppress(WrongPinError):
            await scene.opened(WRONG_PIN)
        scene.promises(attempts=attempts)
    scene.clock.now_ms += _PIN_PAUSE_MS
    with contextlib.suppress(PinDestroyedError):
        await scene.opened(WRONG_PIN)
    scene.promises(opens=["passphrase", "badge", "recovery"], attempts=0)


async def passphrase(scene: Scene) -> None:
    """Change the passphrase, write, and change it back."""
    store = await scene.opened()
    await store.change_passphrase(OTHER_PASSPHRASE, current=PASSPHRASE, profile=WEAK)
    scene.keeps(store, opens=["other passphrase"])
    await _patrol(store, "换了口令。")
    scene.keeps(store)
    await store.change_passphrase(PASSPHRASE, current=OTHER_PASSPHRASE, profile=WEAK)
    scene.keeps(store, opens=["passphrase"])
    await store.close()


async def renumber(scene: Scene) -> None:
    """Draw a new incarnation, write what is pending once more under it, go on writing."""
    store = await scene.opened()
    await _patrol(store, "编号之前。")
    scene.keeps(store)
    # What `sync` does when the server has seen another copy of this store.
    await store._renumber()  # noqa: SLF001
    scene.keeps(store)
    await _patrol(store, "编号之后。")
    scene.keeps(store)
    await store.close()


async def a_snapshot(scene: Scene) -> None:
    """Begin with a store that has a snapshot, and an entry behind it."""
    await a_store(scene)
    store = await scene.opened()
    await store.lock()
    await store.unlock(PASSPHRASE)
    await _patrol(store, "快照以后写的。")
    scene.keeps(store, opens=["passphrase"])
    await store.close()


async def snapshot(scene: Scene) -> None:
    """Lock, which leaves a snapshot, write while locked, unlock; once more; write behind it."""
    store = await scene.opened()
    for summary in ("一。", "二。"):
        await _patrol(store, summary)
        scene.keeps(store)
        await store.lock()
        await store.create("patrol", {**_PATROL, "leader": bytes(range(16)), "summary": summary})
        await store.unlock(PASSPHRASE)
        scene.keeps(store)
    await _patrol(store, _LONG_TEXT[:400])
    scene.keeps(store)
    await store.close()


async def compaction(scene: Scene) -> None:
    """Compact the journal, write behind it, compact it again, lock."""
    store = await scene.opened()
    for summary in ("一。", _LONG_TEXT[:400]):
        await store.compact()
        scene.keeps(store)
        await _patrol(store, summary)
        scene.keeps(store)
    await store.lock()
    await store.close()


async def wipe(scene: Scene) -> None:
    """Write, then wipe an open store that a PIN and a badge open as well."""
    store = await scene.opened()
    await _patrol(store, "最后一条。")
    scene.keeps(store)
    await store.wipe()
    scene.is_now(Stand.WIPED)


async def wipe_closed(scene: Scene) -> None:
    """Wipe a store that nobody has open, and make another in its place."""
    await FieldStore.wipe_at(scene.directory)
    scene.is_now(Stand.WIPED)
    store = await scene.made()
    scene.keeps(store, opens=["passphrase"])
    await store.close()


async def make_again(scene: Scene) -> None:
    """Make a store where one was wiped."""
    store = await scene.made()
    scene.keeps(store, opens=["passphrase"])
    await enrol(store)
    scene.keeps(store)
    await store.close()


_PATROL: Mapping[str, Change] = {
    "patrol_type": "daily",
    "grid_code": GRID,
    "occurred_at": _AT,
    "started_at": _AT,
}
_HOUSEHOLD: Mapping[str, Change] = {
    "household_id": bytes(range(16)),
    "address_id": bytes(range(16, 32)),
    "label": "青石巷 5 号",
    "visit_class": "general",
    "grid_code": GRID,
}


async def _patrol(store: FieldStore, summary: str) -> Record:
    return await store.create("patrol", {**_PATROL, "leader": store.user, "summary": summary})


_PASSPHRASE: Mapping[str, Credential] = MappingProxyType({"passphrase": PASSPHRASE})
_GUARDED: Mapping[str, Credential] = MappingProxyType(
    {
        "passphrase": PASSPHRASE,
        "pin": PIN,
        "other pin": OTHER_PIN,
        "badge": BADGE,
        "other badge": OTHER_BADGE,
        "recovery": RECOVERY,
    }
)
_TWO_PASSPHRASES: Mapping[str, Credential] = MappingProxyType(
    {"passphrase": PASSPHRASE, "other passphrase": OTHER_PASSPHRASE}
)

_ALL = (
    Scenario(make, nothing, _PASSPHRASE),
    Scenario(save, a_store, _PASSPHRASE),
    Scenario(checkpoint, a_store, _PASSPHRASE),
    Scenario(edit, a_store, _PASSPHRASE),
    Scenario(save_in_two_ops, a_store, _PASSPHRASE),
    Scenario(long_entry, a_store, _PASSPHRASE),
    Scenario(pin, a_guarded_store, _GUARDED),
    Scenario(pin_destroyed, a_guarded_store, _GUARDED),
    Scenario(passphrase, a_store, _TWO_PASSPHRASES),
    Scenario(renumber, a_store, _PASSPHRASE),
    Scenario(snapshot, a_snapshot, _PASSPHRASE),
    Scenario(compaction, a_snapshot, _PASSPHRASE),
    Scenario(wipe, a_guarded_store, _GUARDED),
    Scenario(wipe_closed, a_guarded_store, _GUARDED),
    Scenario(make_again, a_wiped_store, _PASSPHRASE),
)

SCENARIOS: Mapping[str, Scenario] = MappingProxyType({each.name: each for each in _ALL})
