"""The stage of a scenario: a store in a scratch directory, and somebody who writes down what was promised."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gridlog.credentials import Badge, Credential, Pin, Recovery
from gridlog.entries import Enrolled
from gridlog.store import FieldStore
from gridlog_protocol.ids import DeviceHandle, Epoch, ScopeId, TenantId, UserId
from tools.crash.account import Account, Stand
from tools.crash.describing import WEAK, SteppingClock, account_of

PASSPHRASE = "桂花树下的第三块砖"  # noqa: S105 - of an invented store.
PIN = Pin("280417", b"of this handheld")
BADGE = Badge(bytes(range(16)))
RECOVERY = Recovery(X25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
GRID = ScopeId("420106001001001")
STORE = "store"
"""The store's directory, below the root that is recorded."""


class Scene:
    """What a scenario plays on. It tells of every promise the moment it was made."""

    def __init__(self, root: Path, tell: Callable[[Account], None]) -> None:
        self.directory = root / STORE
        self.clock = SteppingClock()
        self._tell = tell
        self._account = Account(Stand.MISSING)

    async def made(self) -> FieldStore:
        """Make the store."""
        return await FieldStore.make(self.directory, PASSPHRASE, profile=WEAK, clock=self.clock)

    async def opened(self, credential: Credential = PASSPHRASE) -> FieldStore:
        """Open the store."""
        return await FieldStore.open(self.directory, credential, clock=self.clock)

    def keeps(self, store: FieldStore, *, opens: Iterable[str] | None = None, attempts: int | None = None) -> None:
        """Promise all that an open store shows now; `opens` and `attempts` where they changed."""
        self._account = replace(
            # What a store has in hand is for itself; here it is asked for what the screen would show.
            account_of(store._vault, store._memory, opens=(), attempts=0),  # noqa: SLF001
            opens=self._account.opens,
            attempts=self._account.attempts,
        )
        self.promises(opens=opens, attempts=attempts)

    def promises(self, *, opens: Iterable[str] | None = None, attempts: int | None = None) -> None:
        """Promise what was promised last, but for what opens the store and how many wrong PINs are counted."""
        if opens is not None:
            self._account = replace(self._account, opens=frozenset(opens))
        if attempts is not None:
            self._account = replace(self._account, attempts=attempts)
        self.repeat()

    def is_now(self, stand: Stand) -> None:
        """Promise that there is no store here, or a wiped one."""
        self._account = Account(stand)
        self.repeat()

    def repeat(self) -> None:
        """Write down the last promise once more: nothing has changed."""
        self._tell(self._account)


Act = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A short story of a store. `before` is what the disk holds durably when it begins; `play` is recorded.

    `credentials` are tried on whatever is left, by name, the passphrase that the store was made with first.
    """

    play: Act
    before: Act
    credentials: Mapping[str, Credential]

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        return getattr(self.play, "__name__", "").replace("_", "-")


async def enrol(store: FieldStore) -> None:
    """Write who this device is: what a server would have answered, and no key of which is ever used."""
    keys = bytes(32)
    enrolled = Enrolled(
        "http://office.invalid",
        keys,
        keys,
        DeviceHandle(bytes(8)),
        TenantId("420106"),
        "",
        UserId(bytes(range(16))),
        "",
        Epoch(bytes(8)),
        (ScopeId("tenant"), GRID),
        1,
        0,
        b"",
    )
    await store._run(lambda: store._keep_enrolment(enrolled))  # noqa: SLF001 - there is no server here to answer.
