"""Whether a device may synchronise: the life of a device, from its enrolment to the end.

                    suspend                     lost, wipe              its acknowledgement
        active <--------------> suspended ------------------> lost ---------------------------> wiped
           ^        resume                                    |  |
           +---------------------- found ---------------------+  +-- wipe: ordered again

    `lost` and `wipe` apply to an active device, too; `revoke` leads from all of these to revoked, and nothing back.

The rules it keeps: a suspended device is turned away and keeps all that it wrote. A lost one gets the order to wipe
its store, and nothing else; what it still sends is kept in quarantine. Each order, and its withdrawal, has a counter
above all those before it, so that none can be played again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum

from gridlog_protocol.orders import Acknowledged
from gridlog_protocol.texts import Text
from gridlog_server.store.contract import Act, Device, Store, Transaction

from .refusing import RefusedError, checked_reason

ACTIVE, SUSPENDED, LOST, WIPED, REVOKED = "active", "suspended", "lost", "wiped", "revoked"
AT_AN_END = frozenset({WIPED, REVOKED})
"""Nobody works with such a device any more."""
_NAME_DIGITS_MIN = 4


class Step(StrEnum):
    """What an administrator may do with a device."""

    SUSPEND = "suspend"
    RESUME = "resume"
    LOST = "lost"
    WIPE = "wipe"
    FOUND = "found"
    REVOKE = "revoke"


_STEPS = {
    (ACTIVE, Step.SUSPEND): SUSPENDED,
    (SUSPENDED, Step.RESUME): ACTIVE,
    (ACTIVE, Step.LOST): LOST,
    (SUSPENDED, Step.LOST): LOST,
    (ACTIVE, Step.WIPE): LOST,
    (SUSPENDED, Step.WIPE): LOST,
    (LOST, Step.WIPE): LOST,
    (LOST, Step.FOUND): ACTIVE,
    (ACTIVE, Step.REVOKE): REVOKED,
    (SUSPENDED, Step.REVOKE): REVOKED,
    (LOST, Step.REVOKE): REVOKED,
    (WIPED, Step.REVOKE): REVOKED,
}
_WANT_REASON = frozenset({Step.LOST, Step.WIPE, Step.FOUND})
_WORDS = {
    Step.SUSPEND: "停用",
    Step.RESUME: "恢复",
    Step.LOST: "挂失",
    Step.WIPE: "清除",
    Step.FOUND: "解除挂失",
    Step.REVOKE: "作废",
}
STATES = {
    ACTIVE: Text("在用", "active"),
    SUSPENDED: Text("已停用", "suspended"),
    LOST: Text("已挂失", "lost"),
    WIPED: Text("已清除，须重新登记", "wiped for ever"),
    REVOKED: Text("已作废，不能恢复", "revoked for ever"),
}


class Standing:
    """The use cases behind `gridlog-server admin device`."""

    def __init__(self, store: Store, *, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._now_ms = now_ms

    async def change(self, name: str, step: Step, *, by: str, reason: str) -> Device:
        """Take one step with the device that a name means. Raises RefusedError."""
        why = checked_reason(reason)

        async def work(transaction: Transaction) -> Device:
            return await self._changed(transaction, name, step, by=by, reason=why)

        return await self._store.commit(work)

    async def confirm(self, names: Sequence[str], *, by: str) -> list[Device]:
        """Let devices go on that a restore suspended: all that are named, or none. Raises RefusedError."""

        async def work(transaction: Transaction) -> list[Device]:
            return [await self._changed(transaction, name, Step.RESUME, by=by, reason="") for name in names]

        return await self._store.commit(work)

    async def _changed(self, transaction: Transaction, name: str, step: Step, *, by: str, reason: str) -> Device:
        device = the_device(name, await transaction.registry.devices())
        after = _STEPS.get((device.status, step))
        if after is None:
            raise RefusedError(
                f"终端{STATES[device.status].zh}，不能再{_WORDS[step]}。",
                f"The device is {STATES[device.status].en}: {step.value} does not apply.",
            )
        checked_reason(reason, is_wanted=step in _WANT_REASON)
        changed = _ordered(replace(device, status=after), step, self._now_ms())
        await transaction.registry.put_device(changed)
        await transaction.registry.note(Act(self._now_ms(), by, f"device.{step.value}", device.id.hex(), reason))
        return changed


async def note_wiped(transaction: Transaction, device: Device, said: Acknowledged, *, now_ms: int) -> Device:
    """Write down a device's word that it is wiped, and return it as it is now. Nothing happens if that is known.

    It is taken whatever the device's state: an order that was withdrawn meanwhile was carried out all the same.
    """
    if device.wiped_ms is not None:
        return device
    status = REVOKED if device.status == REVOKED else WIPED
    order = max(device.order, said.counter)
    wiped = replace(device, status=status, order=order, wiped_ms=now_ms, wipe_ordered_ms=None)
    await transaction.registry.put_device(wiped)
    detail = f"order {said.counter}, store {said.incarnation.hex()[:8]}, at {said.wall_ms} by its clock"
    await transaction.registry.note(Act(now_ms, by_itself(device), "device.wiped", device.id.hex(), detail))
    return wiped


def by_itself(device: Device) -> str:
    """Return how an act names the device that did it."""
    return f"device {device.id.hex()[:8]}"


def _ordered(device: Device, step: Step, now_ms: int) -> Device:
    """Return a device with the order that a step gives or withdraws."""
    match step:
        case Step.LOST | Step.WIPE:
            return replace(device, order=device.order + 1, wipe_ordered_ms=now_ms, order_fetched_ms=None)
        case Step.FOUND:
            return replace(device, order=device.order + 1, wipe_ordered_ms=None, order_fetched_ms=None)
        case Step.REVOKE:
            return replace(device, wipe_ordered_ms=None)
        case _:
            return device


def the_device(name: str, devices: Sequence[Device]) -> Device:
    """Return the one device whose id begins so, in hex; hyphens do not count. Raises RefusedError."""
    digits = name.replace("-", "").strip().lower()
    found = [each for each in devices if each.id.hex().startswith(digits)]
    if len(digits) < _NAME_DIGITS_MIN or not found:
        raise RefusedError(
            f"没有编号以 {name} 开头的终端，见 gridlog-server devices。",
            f"No device's id begins with {name}: see gridlog-server devices.",
        )
    if len(found) > 1:
        raise RefusedError(
            f"有 {len(found)} 台终端的编号以 {name} 开头，请多写几位。",
            f"{len(found)} devices begin with {name}: write more.",
        )
    return found[0]
