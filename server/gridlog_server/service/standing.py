"""Whether a device may synchronise: suspend it, let it go on, or revoke it because it is lost.

              suspend                revoke
     active ----------> suspended ----------> revoked        `revoke` works from both; nothing leads back from it
            <----------
              resume

The rule it keeps: a suspended device is turned away and keeps all that it wrote. A revoked one never comes back; what
it still sends is kept in quarantine, and nothing of it takes effect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum

from gridlog_protocol.texts import Text
from gridlog_server.store.contract import Act, Device, Store, Transaction

from .refusing import RefusedError, checked_reason

ACTIVE, SUSPENDED, REVOKED = "active", "suspended", "revoked"
_NAME_DIGITS_MIN = 4


class Step(StrEnum):
    """What an administrator may do with a device."""

    SUSPEND = "suspend"
    RESUME = "resume"
    REVOKE = "revoke"


_STEPS = {
    (ACTIVE, Step.SUSPEND): SUSPENDED,
    (SUSPENDED, Step.RESUME): ACTIVE,
    (ACTIVE, Step.REVOKE): REVOKED,
    (SUSPENDED, Step.REVOKE): REVOKED,
}
_WORDS = {Step.SUSPEND: "停用", Step.RESUME: "恢复", Step.REVOKE: "作废"}
_STATES = {
    ACTIVE: Text("在用", "active"),
    SUSPENDED: Text("已停用", "suspended"),
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
                f"终端{_STATES[device.status].zh}，不能再{_WORDS[step]}。",
                f"The device is {_STATES[device.status].en}: {step.value} does not apply.",
            )
        changed = replace(device, status=after)
        await transaction.registry.put_device(changed)
        await transaction.registry.note(Act(self._now_ms(), by, f"device.{step.value}", device.id.hex(), reason))
        return changed


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
