"""The round trips of one `sync`, and the turns of `sync_forever`: how large, how often, when to stop.

The rule it keeps: what an answer brought is durable before the next answer is looked at, so that a cut, a spent
budget or a cancelled task costs one round trip at most, and a power cut two: while this device keeps what it was
told, the next request is on its way already. Sizes and pauses are decided in `gridlog_sync.pacing`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from gridlog_protocol.errors import Recovery
from gridlog_sync.pacing import FLOOR_BYTES, ROUND_TRIP_BYTES, Pace, backoff_s
from gridlog_sync.session import Absorbed, Fork

from .asking import Asked
from .driver import Driver
from .errors import RefusedError, UnreachableError
from .obeying import WipeOrderedError
from .records import SyncReport, SyncTurn

if TYPE_CHECKING:
    from .transport import Delivered, Transport

_ROUNDS_MAX = 10_000
_NOTHING = SyncReport(0, 0, 0, 0, 0, 0, None)


@dataclass(frozen=True, slots=True)
class Means:
    """What exchanges need of their store. `run` runs on the store's thread."""

    driver: Callable[[], Driver]
    run: Callable[[Callable[[], Any]], Awaitable[Any]]
    take_in: Callable[[Asked, bytes], Awaitable[tuple[Absorbed, bool | None]]]
    """Make an answer durable, then show it; tell whether both sides are equal now."""
    renumber: Callable[[], Awaitable[None]]
    """Draw a new incarnation for what is pending."""
    begin: Callable[[Coroutine[Any, Any, Delivered]], Errand]
    """Let a request go while something else is done."""


class Errand(Protocol):
    """A request on its way: await it for the answer, or drop it."""

    def __await__(self) -> Generator[Any, Any, Delivered]: ...

    async def drop(self) -> None:
        """Give it up, and let go of what it holds."""
        ...


class TaskErrand:
    """A request in a task of its own."""

    def __init__(self, work: Coroutine[Any, Any, Delivered]) -> None:
        self._task = asyncio.ensure_future(work)

    def __await__(self) -> Generator[Any, Any, Delivered]:
        return self._task.__await__()

    async def drop(self) -> None:
        """See Errand."""
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            # Looked at, so that nobody complains about it: whoever drops an errand has trouble enough.
            self._task.exception()


class _SpentError(Exception):
    """The next round trip would exceed the budget."""


class Exchanging:
    """The exchanges of one open store, one at a time. What they learn of the link outlives each of them."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._pace = Pace.fresh()
        self._ceiling: int | None = None
        self._budget_bytes: int | None = None
        self._ahead: tuple[Asked, Errand] | None = None
        self.report = _NOTHING
        """How far the running exchange has come, or the last one came."""

    async def exchange(self, transport: Transport, budget_bytes: int | None = None) -> SyncReport:
        """Exchange until nothing is left to send or to fetch, or until the budget is spent. Raises as `sync` does."""
        self.report = _NOTHING
        self._budget_bytes = budget_bytes
        self._ceiling = None
        driver = self._means.driver()
        has_parted = has_repaired = False
        try:
            while self.report.round_trips < _ROUNDS_MAX:
                try:
                    is_unfinished = await self._round_trip(transport)
                except RefusedError as refused:
                    if refused.recovery is not Recovery.REPAIR or has_parted:
                        raise
                    await self._part_ways(transport, refused.forked_seq)
                    has_parted = True
                    continue
                if driver.is_repairing:
                    continue
                if self.report.is_equal is False and not has_repaired:
                    has_repaired = True
                    await self._means.run(driver.begin_repair)
                elif not is_unfinished:
                    break
        except _SpentError:
            self.report = replace(self.report, more_waits=True)
        finally:
            await self._drop_ahead()
        return self.report

    async def _part_ways(self, transport: Transport, forked_seq: int | None) -> None:
        """Settle what this store shares with its copy, then go on under numbers of its own.

        Without the first step, ops that the server holds already would come to it a second time, under new names.
        """
        shared = forked_seq or 0
        driver = self._means.driver()
        sent = -1
        # As many requests as it takes: on a bad link not all that is shared fits into one.
        while sent != self.report.sent and await self._means.run(lambda: driver.has_pending(before=shared)):
            sent = self.report.sent
            await self._round_trip(transport, before=shared)
        await self._means.renumber()

    async def _round_trip(self, transport: Transport, *, before: int | None = None) -> bool:
        """Make one round trip, in as many sizes as it takes, and tell whether more is to be done."""
        while True:
            asked, answering = await self._sent(transport, before)
            try:
                delivered = await answering
                if before is None and self._budget_bytes is None:
                    await self._go_ahead(transport, asked, delivered)
                absorbed, is_equal = await self._means.take_in(asked, delivered.content)
            except UnreachableError as reason:
                self._pace = self._pace.broken(reason.how, sent_bytes=asked.sent_bytes)
                raise
            except RefusedError as refused:
                if refused.recovery is not Recovery.SMALLER or len(asked.sent) <= 1:
                    raise
                self._pace = self._pace.refused(sent_bytes=asked.sent_bytes)
                # Below the floor too, until a single op is left: somebody on the way takes even less.
                self._ceiling = asked.sent_bytes // 2
                continue
            self._ceiling = None
            self._learn(asked, delivered, absorbed, is_equal=is_equal)
            return absorbed.is_unfinished

    async def _sent(self, transport: Transport, before: int | None) -> tuple[Asked, Awaitable[Delivered]]:
        """Return a request that was sent ahead, or send one now. Raises _SpentError."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            return ahead
        asked = await self._asked(before)
        return asked, self._post(transport, asked)

    def _post(self, transport: Transport, asked: Asked) -> Coroutine[Any, Any, Delivered]:
        # Counted before it goes: what is cut or refused has cost as much.
        self.report = replace(self.report, bytes_up=self.report.bytes_up + len(asked.raw))
        return transport.post("/v1/sync", asked.raw)

    async def _go_ahead(self, transport: Transport, asked: Asked, delivered: Delivered) -> None:
        """Send what comes next, if it is plain what that is, before what was delivered is kept."""
        driver = self._means.driver()

        def asked_on() -> Asked | None:
            try:
                answered = driver.take(asked, delivered.content)
            except WipeOrderedError:
                # It comes again when the answer is taken in: whoever does that obeys.
                return None
            if isinstance(answered, Fork):
                return None
            return driver.ask_on(self._paced(asked, delivered, answered.absorbed), asked, answered)

        following: Asked | None = await self._means.run(asked_on)
        if following is not None:
            self._ahead = following, self._means.begin(self._post(transport, following))
            await transport.sent()

    async def _drop_ahead(self) -> None:
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            await ahead[1].drop()

    def _paced(self, asked: Asked, delivered: Delivered, absorbed: Absorbed) -> Pace:
        return self._pace.answered(
            sent_bytes=asked.sent_bytes, up_s=delivered.up_s, is_cut=absorbed.is_cut, down_s=delivered.down_s
        )

    async def _asked(self, before: int | None) -> Asked:
        """Compose a request that the link and the budget allow. Raises _SpentError."""
        pace, driver = self._pace, self._means.driver()
        left_bytes = None
        if self._budget_bytes is not None:
            left_bytes = self._budget_bytes - self.report.bytes_up - self.report.bytes_down
            if left_bytes < ROUND_TRIP_BYTES + FLOOR_BYTES:
                raise _SpentError
            pace = pace.within(left_bytes)
        if self._ceiling is not None:
            pace = replace(pace, up_bytes=min(pace.up_bytes, self._ceiling))
        asked: Asked = await self._means.run(lambda: driver.ask(pace, before=before))
        if left_bytes is not None and len(asked.raw) + pace.down_bytes + ROUND_TRIP_BYTES // 2 > left_bytes:
            raise _SpentError
        return asked

    def _learn(self, asked: Asked, delivered: Delivered, absorbed: Absorbed, *, is_equal: bool | None) -> None:
        self._pace = self._paced(asked, delivered, absorbed)
        so_far = self.report
        self.report = SyncReport(
            so_far.sent + len(asked.sent),
            so_far.received + absorbed.received,
            so_far.held + len(absorbed.held),
            so_far.round_trips + 1,
            so_far.bytes_up,
            so_far.bytes_down + len(delivered.content),
            is_equal,
        )


async def turns(
    sync: Callable[[], Awaitable[SyncReport]],
    so_far: Callable[[], SyncReport],
    *,
    every_s: float,
    on_turn: Callable[[SyncTurn], None] | None,
    rest: Callable[[float], Awaitable[None]],
) -> NoReturn:
    """Synchronise for ever: see `FieldStore.sync_forever`. `so_far` tells how far a `sync` came that failed.

    `rest` is the pause after a success; it may end early.
    """
    failures = 0
    while True:
        trouble: UnreachableError | RefusedError | None = None
        try:
            report = await sync()
        except UnreachableError as reason:
            trouble, report = reason, so_far()
        except RefusedError as reason:
            if reason.recovery is not Recovery.RETRY:
                raise
            trouble, report = reason, so_far()
        wish_s = trouble.retry_after_s if isinstance(trouble, RefusedError) else None
        if trouble is None:
            failures, pause_s = 0, every_s
        elif isinstance(trouble, UnreachableError) and (report.sent or report.received):
            # The link carries something between two cuts: the next piece goes at once.
            failures, pause_s = 0, 0.0
        else:
            failures += 1
            pause_s = backoff_s(failures, chance=random.random(), retry_after_s=wish_s)  # noqa: S311 - no secret.
        if on_turn is not None:
            on_turn(SyncTurn(report, trouble, pause_s))
        await (asyncio.sleep if trouble else rest)(pause_s)
