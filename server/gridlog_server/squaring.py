"""Make sure, before a server serves, that its database is the one that it had, and the control journal complete.

The rule it keeps: a database file that somebody put back by hand is not served. Handhelds know a later log than it
has, under the same epoch, and would take its positions for others. `gridlog-server restore` is the way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from gridlog_protocol.ids import Position

from .control import ControlJournal, acts_of
from .service.keys import ServerKeys
from .settings import Settings
from .store.acts import act_of_account, act_of_device, act_of_person
from .store.contract import Readable
from .store.sqlite_files import StoreFormatError

_OF_THE_JOURNAL = ("n", "before")


async def square(store: Readable, settings: Settings, keys: ServerKeys) -> None:
    """Compare database and control journal, and note what the journal lacks: also what was changed by SQL.

    Raises StoreFormatError if the database is older than the journal, and ControlJournalError.
    """
    noted = [*acts_of(settings.control, keys.signing.public_key())] if settings.control.exists() else []
    last = {(each["act"], each.get("id")): _facts(each) for each in noted}
    life = next((each for each in reversed(noted) if each["act"] in ("started", "restored")), None)
    async with store.reading() as snapshot:
        head = await snapshot.ledger.log_head()
        if life is not None:
            link = await snapshot.ledger.log_hash(Position(life["position"]))
            is_ours = life["epoch"] == store.tenancy.epoch.hex()
            if not is_ours or link is None or link.hex() != life["log_hash"]:
                raise StoreFormatError("it is older than control.journal says: use gridlog-server restore")
        acts: list[Mapping[str, Any]] = [act_of_person(each) for each in await snapshot.registry.people()]
        acts += [act_of_device(each) for each in await snapshot.registry.devices()]
        acts += [act_of_account(each) for each in await snapshot.accounts.accounts()]
    missing = [each for each in acts if last.get((each["act"], each["id"])) != each]
    mark = {
        "act": "started",
        "epoch": store.tenancy.epoch.hex(),
        "position": head.position,
        "log_hash": head.hash.hex(),
    }
    await asyncio.to_thread(ControlJournal(settings.control, keys.signing).record, [*missing, mark])


def _facts(act: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in act.items() if name not in _OF_THE_JOURNAL}
