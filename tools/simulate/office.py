"""The server of the world: the production exchange and import over the store in memory, and its bad days."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import OpId, Position
from gridlog_protocol.kinds import KindSet
from gridlog_server.service.exchange import Exchange
from gridlog_server.service.importing import Given, Importing
from gridlog_server.service.keys import ServerKeys
from gridlog_server.store.contract import StoredOp, StoreUnavailableError, Tenancy
from gridlog_sync.testing.dice import Dice, is_so
from gridlog_sync.testing.oracle import LogLine
from gridlog_sync.testing.witness import ActId, Witness, act_of
from gridlog_sync.testing.world import World
from tools.simulate.coroutines import run
from tools.simulate.memory_store import CommitFate, MemoryStore, ServerDiedError
from tools.simulate.swarm import OfficeFaults

PROBLEM = b"problem "
"""Leads a refusal in the clear, in place of an HTTP status."""
_DOWN_MS_MAX = 40_000


class Office:
    """One server process after another over one database."""

    def __init__(  # noqa: PLR0913 - each is a port of the world.
        self,
        world: World,
        dice: Dice,
        faults: OfficeFaults,
        *,
        tenancy: Tenancy,
        keys: ServerKeys,
        kinds: KindSet,
        witness: Witness,
    ) -> None:
        self._world = world
        self._dice = dice
        self.faults = faults
        self._witness = witness
        self.store = MemoryStore(tenancy, self._fate)
        self._exchange = Exchange(self.store, keys, kinds, self._now_ms)
        self._importing = Importing(self.store, kinds, now_ms=self._now_ms, entropy=dice.randbytes)
        self._is_down = False
        self._accepted_ms: dict[int, int] = {}
        self._acts: dict[OpId, ActId] = {}

    def receive(self, raw: bytes, served: Position, answer: Callable[[bytes], None]) -> None:
        """Take a request. `served` is the position that its sender stands at."""
        if self._is_down:
            self._world.note("server down")
            return
        known = len(self.store.tables.ops)
        try:
            response = run(self._exchange.answer(raw))
        except ServerDiedError:
            self._die()
            return
        except StoreUnavailableError:
            response = PROBLEM + b"unavailable"
        except ProtocolError as refusal:
            response = PROBLEM + refusal.code.encode()
        finally:
            self._note_new(known, served)
        answer(response)

    def write(self, given: Sequence[Given]) -> None:
        """Bring in records from a file."""
        if not self._is_down:
            try:
                run(self._importing.write(given))
            except (ServerDiedError, StoreUnavailableError):
                self._die()
            finally:
                self._note_new(0, Position(0))

    def heal(self) -> None:
        """End all faults."""
        self.faults = OfficeFaults(0.0, 0.0, 0.0)
        self._is_down = False

    def act(self, op: OpId) -> ActId | None:
        """Return what an op of the log says, by its content."""
        if op not in self._acts and op in self.store.tables.ops:
            self._acts[op] = act_of(self.store.tables.ops[op].op)
        return self._acts.get(op)

    def lines(self) -> list[LogLine]:
        """Return the log for the oracle."""
        tables = self.store.tables
        return [self._line(tables.ops[op], place) for place, op in enumerate(tables.entries, 1)]

    def held(self) -> list[StoredOp]:
        """Return the ops that wait for a person."""
        return [each for each in self.store.tables.ops.values() if each.position is None]

    def _line(self, stored: StoredOp, place: int) -> LogLine:
        position = stored.position if stored.position is not None else place
        stamp = stored.stamp if stored.stamp is not None else 0
        return LogLine(stored.op, position, int(stamp), stored.named, self._accepted_ms.get(place, 0))

    def _note_new(self, known: int, served: Position) -> None:
        tables = self.store.tables
        for place in range(len(self._accepted_ms) + 1, len(tables.entries) + 1):
            self._accepted_ms[place] = self._world.now_ms
        for op in [*tables.ops][known:]:
            act = self.act(op)
            if act is not None:
                self._witness.served.setdefault(act, served)

    def _fate(self) -> CommitFate:
        if is_so(self._dice, self.faults.dies_before_commit):
            return CommitFate.DIES_BEFORE
        if is_so(self._dice, self.faults.dies_after_commit):
            return CommitFate.DIES_AFTER
        return CommitFate.NO_SPACE if is_so(self._dice, self.faults.no_space) else CommitFate.DONE

    def _die(self) -> None:
        self._is_down = True
        self._world.note("server dies")
        self._world.after(self._dice.randint(0, _DOWN_MS_MAX), self._start)

    def _start(self) -> None:
        self._is_down = False
        self._world.note("server starts")

    def _now_ms(self) -> int:
        return self._world.now_ms
