"""A handheld of the world: the production store over a modelled disk, clock and network.

`FieldStore` runs as it is: composing, journalling before speaking, exchanging, drawing a new incarnation. Replaced
are its thread, its files, its clock, its entropy and its link; everything it decides is the production code's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gridlog.asking import Answered, Asked
from gridlog.composer import Composer
from gridlog.device_clock import DeviceClock
from gridlog.driver import Driver
from gridlog.entries import WrittenOp
from gridlog.errors import DiskFullError
from gridlog.exchanging import Errand
from gridlog.frames import Frame, FrameType
from gridlog.image import image_parts, load_image
from gridlog.journal import Journal
from gridlog.looking import Query
from gridlog.memory import Memory
from gridlog.reading import Files, Loaded
from gridlog.records import Record
from gridlog.store import FieldStore
from gridlog.transport import Delivered, HttpTransport
from gridlog.vault import Vault
from gridlog_protocol.canonical import Value, pack, unpack
from gridlog_protocol.clock import ClockFacts, Hlc
from gridlog_protocol.ids import DeviceId, Incarnation, Position, RecordId, UserId
from gridlog_protocol.kinds import KindSet
from gridlog_protocol.ops import Intent, Seen
from gridlog_sync.pacing import Pace
from gridlog_sync.resolutions import Resolution
from gridlog_sync.session import Absorbed
from gridlog_sync.testing.clocks import PhoneClock
from gridlog_sync.testing.disk import Disk, NoSpaceError
from gridlog_sync.testing.world import World
from gridlog_sync.writing import Change

T = TypeVar("T")
_LIE = 1000
_LIST_MAX = 1000
Entropy = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class DeviceKeys:
    """Keys of one device: made from its number, so that they need not be drawn again for each world."""

    id: DeviceId
    signing: Ed25519PrivateKey
    exchange: X25519PrivateKey


class ModelledVault:
    """What the store asks of `Vault`."""

    def __init__(self, keys: DeviceKeys, incarnation: Incarnation) -> None:
        self.directory = Path()
        self.device_id = keys.id
        self.signing_key = keys.signing
        self.exchange_key = keys.exchange
        self.incarnation = incarnation

    def close(self) -> None:
        """Do nothing."""


class ModelledJournal(Journal):
    """Entries on the modelled disk: each append is one chunk, all of it or nothing, as SQLite's transaction is."""

    def __init__(self, disk: Disk, vault: ModelledVault, entropy: Entropy) -> None:
        self._disk = disk
        self._vault_of_world = vault
        self._draw = entropy

    def append(self, frames: Sequence[tuple[FrameType, bytes]]) -> list[int]:
        """See Journal."""
        rows: list[Value] = [[int(kind), payload] for kind, payload in frames]
        if rows:
            self._put(pack(rows))
        return []

    def replay(self, *, after: int = 0) -> Iterator[Frame]:
        """See Journal."""
        del after  # It is asked for everything: frames have no numbers here.
        for chunk in self._disk.chunks():
            rows = unpack(chunk)
            assert isinstance(rows, list)
            for row in rows:
                assert isinstance(row, list)
                kind, payload = row
                if isinstance(kind, int) and isinstance(payload, bytes) and kind:
                    yield Frame(0, FrameType(kind), payload)

    def redraw_incarnation(self) -> Incarnation:
        """See Journal. The new incarnation is durable by itself, before anything is written under it."""
        incarnation = Incarnation(self._draw(8))
        self._put(pack([[0, incarnation]]))
        self._vault_of_world.incarnation = incarnation
        return incarnation

    def close(self) -> None:
        """Do nothing: what is on the disk stays."""

    def _put(self, chunk: bytes) -> None:
        try:
            self._disk.write(chunk)
        except NoSpaceError:
            raise DiskFullError from None
        self._disk.sync()


def incarnation_on(disk: Disk) -> Incarnation | None:
    """Return the incarnation that a disk names last."""
    found = None
    for chunk in disk.chunks():
        rows = unpack(chunk)
        if isinstance(rows, list) and isinstance(rows[0], list) and rows[0][0] == 0:
            found = Incarnation(cast("bytes", rows[0][1]))
    return found


class ModelledClock(DeviceClock):
    """A phone's clock in virtual time."""

    def __init__(self, world: World, clock: PhoneClock) -> None:
        self._world = world
        self._phone = clock

    def wall_ms(self) -> int:
        """See DeviceClock."""
        return self._phone.wall_ms(self._world.now_ms)

    def facts(self, hlc: Hlc, *, server_ms: int) -> ClockFacts:
        """See DeviceClock."""
        since_boot_ms = self._phone.since_boot_ms(self._world.now_ms)
        return ClockFacts(hlc, self.wall_ms(), self._phone.boot, since_boot_ms, server_ms)


class RememberingDriver(Driver):
    """Remembers what was asked, so that an answer can be taken long after everybody stopped waiting for it."""

    def __init__(self, memory: Memory, vault: Vault, clock: DeviceClock) -> None:
        super().__init__(memory, vault, clock)
        self.asked: dict[bytes, Asked] = {}
        self.foreseen: tuple[Pace, Asked] | None = None

    def ask(self, pace: Pace, *, before: int | None = None) -> Asked:
        """See Driver."""
        asked = super().ask(pace, before=before)
        self.asked[asked.raw] = asked
        return asked

    def ask_on(self, pace: Pace, asked: Asked, answered: Answered) -> Asked | None:
        """See Driver."""
        following = super().ask_on(pace, asked, answered)
        if following is not None:
            self.asked[following.raw] = following
            self.foreseen = pace, following
        return following

    def check_foreseen(self) -> None:
        """Check that what was composed before an answer was kept is what is composed after that."""
        foreseen, self.foreseen = self.foreseen, None
        assert foreseen is None or Driver.ask(self, foreseen[0]) == foreseen[1], "sent ahead what does not follow"


class WitnessedComposer(Composer):
    """Lets a witness see each op before it goes to the disk."""

    witness: Callable[[WrittenOp], None]

    def compose(
        self,
        record: RecordId,
        kind_name: str,
        changes: Mapping[str, Change],
        *,
        opened: Record | None,
        author: UserId,
        intent: Intent = Intent.EDIT,
        step: str | None = None,
    ) -> list[WrittenOp]:
        """See Composer."""
        written = super().compose(record, kind_name, changes, opened=opened, author=author, intent=intent, step=step)
        for each in written:
            self.witness(each)
        return written

    def undone(self, resolution: Resolution, author: UserId) -> list[WrittenOp]:
        """See Composer."""
        written = super().undone(resolution, author)
        for each in written:
            self.witness(each)
        return written


class Link(HttpTransport):
    """Hands requests to the world and waits for the answer."""

    def __init__(self, world: World, send: Callable[[bytes], Awaitable[bytes]]) -> None:
        self._world = world
        self._send = send

    async def post(self, path: str, body: bytes) -> Delivered:
        """See Transport. Both ways take virtual time; nobody can tell them apart."""
        del path
        begun_ms = self._world.now_ms
        content = await self._send(body)
        took_s = (self._world.now_ms - begun_ms) / 1000
        return Delivered(content, took_s, took_s)

    async def sent(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


class Deferred:
    """A request that goes when somebody waits for its answer: a world does one thing after the other."""

    def __init__(self, work: Coroutine[Any, Any, Delivered]) -> None:
        self._work = work

    def __await__(self) -> Generator[Any, Any, Delivered]:
        return self._work.__await__()

    async def drop(self) -> None:
        """See Errand."""
        self._work.close()


class LyingMemory(Memory):
    """Claims to have seen what nobody has written yet."""

    def seen(self, record: RecordId, *, is_confirmed: bool | None = None) -> Seen:
        """See Memory."""
        seen = super().seen(record, is_confirmed=is_confirmed)
        return replace(seen, position=Position(seen.position + _LIE))


def _read(journal: ModelledJournal, empty: Callable[[], Memory]) -> Memory:
    """Read a journal; every other one through a snapshot of its first half, which must make no difference."""
    frames = [*journal.replay()]
    memory = empty()
    if len(frames) % 2:
        half = empty()
        half.replay(frames[: len(frames) // 2])
        load_image(memory, image_parts(half))
        del frames[: len(frames) // 2]
    memory.replay(frames)
    return memory


class ModelledStore(FieldStore):
    """`FieldStore`, driven by the world instead of an event loop."""

    def __init__(
        self,
        disk: Disk,
        keys: DeviceKeys,
        kinds: KindSet,
        clock: DeviceClock,
        entropy: Entropy,
        *,
        is_liar: bool,
    ) -> None:
        incarnation = incarnation_on(disk)
        assert incarnation is not None, "a disk of the world has been set up"
        modelled = ModelledVault(keys, incarnation)
        vault = cast("Vault", modelled)
        journal = ModelledJournal(disk, modelled, entropy)
        memory = _read(journal, lambda: (LyingMemory if is_liar else Memory)(keys.id, incarnation, kinds))
        super().__init__(Loaded(Files(vault, journal), memory, 0), ThreadPoolExecutor(max_workers=1))
        self._clock = clock
        self.driver = RememberingDriver(memory, vault, clock)
        self._opened.driver = self.driver
        self.composer = WitnessedComposer(memory, clock, entropy)
        self._opened.composer = self.composer
        self.memory = memory
        self.alarms = 0
        self.last_is_equal: bool | None = None

    async def exchange_over(self, link: Link) -> None:
        """Do what `sync` does, over a link of the world."""
        async with self._syncing:
            await self._exchanging.exchange(link)

    def write(
        self, record: RecordId, kind: str, changes: Mapping[str, Change], opened: Record | None, intent: Intent
    ) -> Record:
        """Do what `create`, `edit`, `resolve` and `withdraw` do."""
        return self._write(record, kind, changes, opened, intent)

    def take_back(self, record: RecordId) -> Record:
        """Do what `undo` does."""
        return self._undo(record)

    def wall_ms(self) -> int:
        """Return what the phone's clock says."""
        return self._clock.wall_ms()

    def shown_records(self) -> list[RecordId]:
        """Return the records that lists on the screen have, oldest first."""
        projection = self.memory.projection
        found = [
            projection.matching(Query(kind.name, {}, None, _LIST_MAX, 0, with_withdrawn=True))
            for kind in self.memory.kinds
        ]
        return sorted(record for listed in found for record in listed)

    def take_late(self, asked: Asked, answer: bytes) -> None:
        """Take in an answer that nobody waits for any more, as one that a courier brings."""
        self._take(asked, answer)

    def _take(self, asked: Asked, answer: bytes) -> tuple[Absorbed, bool | None]:
        absorbed, is_equal = super()._take(asked, answer)
        self.driver.check_foreseen()
        self.alarms += is_equal is False
        self.last_is_equal = is_equal
        return absorbed, is_equal

    def _set_off(self, work: Coroutine[Any, Any, Delivered]) -> Errand:
        return Deferred(work)

    async def _run(self, work: Callable[[], T]) -> T:
        return work()
