"""Who holds what: the devices of a supervisor's people, and what they have not sent yet. Counts, never contents."""

from __future__ import annotations

from gridlog_server.store.contract import Store

from .inspection import DeviceLine
from .permitting import Caller, Role, require
from .standing import AT_AN_END


class Holdings:
    """The use case behind the page of who holds what."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of(self, caller: Caller) -> list[DeviceLine]:
        """Return the devices of everybody who works in the caller's grids, by staff number; no device at its end.

        Raises ForbiddenError.
        """
        require(caller, Role.SUPERVISOR)
        async with self._store.reading() as snapshot:
            devices = await snapshot.registry.devices()
            people = {each.id: each for each in await snapshot.registry.people() if each.scopes & caller.grids}
            held = await snapshot.reviews.held_by_device()
        lines = [
            DeviceLine(each, people[each.person].name, held.get(each.id, 0), people[each.person].staff_no)
            for each in devices
            if each.person in people and each.status not in AT_AN_END
        ]
        return sorted(lines, key=lambda line: line.staff_no)
