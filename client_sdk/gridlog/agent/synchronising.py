"""Synchronise behind the pages, and at the press of a button; say in words how it goes and what was wrong last."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from contextlib import suppress

from gridlog import FieldStore, GridlogError, LockedError, SyncReport, SyncTurn
from gridlog_protocol.texts import Text

from .news import News

_TOLD_EVERY_S = 0.5
_OUR_BUG = Text(
    "同步时程序出错。内容都在本机，没有丢失；请告诉管理员。",
    "The app made a mistake while synchronising. Everything is saved here; tell your administrator.",
)
_log = logging.getLogger("gridlog.agent")


class Synchronising:
    """One exchange after another with the server, as long as the store is open."""

    def __init__(self, news: News, *, every_s: float) -> None:
        self._news = news
        self._every_s = every_s
        self._now: asyncio.Task[None] | None = None
        self.progress: SyncReport | None = None
        """How far the exchange that somebody asked for has come; None if none runs."""
        self.trouble: Text | None = None
        """What ended the last exchange, unless it was done."""
        self.trouble_ms = 0
        self.report: SyncReport | None = None
        """The last exchange that was done."""

    @property
    def is_running(self) -> bool:
        """Whether an exchange runs that somebody asked for."""
        return self._now is not None and not self._now.done()

    async def keep(self, store: FieldStore) -> None:
        """Synchronise whenever there is something, until it is cancelled or a person must act."""
        try:
            await store.sync_forever(every_s=self._every_s, on_report=self._took)
        except LockedError:
            pass
        except GridlogError as trouble:
            self._failed(trouble.text)
        except Exception as bug:  # noqa: BLE001 - Our bug: silence would look like success.
            self._broke(bug)
        finally:
            await self._stop()

    def begin(self, store: FieldStore) -> None:
        """Synchronise now. Harmless if that runs already."""
        if not self.is_running:
            self._now = asyncio.create_task(self._exchange(store))
            self._news.tell()

    async def _exchange(self, store: FieldStore) -> None:
        telling = asyncio.create_task(self._tell(store))
        try:
            self._done(await store.sync())
        except LockedError:
            pass
        except GridlogError as trouble:
            self._failed(trouble.text)
        except Exception as bug:  # noqa: BLE001 - Our bug: silence would look like success.
            self._broke(bug)
        finally:
            telling.cancel()
            self.progress, self._now = None, None
            self._news.tell()

    async def _tell(self, store: FieldStore) -> None:
        while True:
            await asyncio.sleep(_TOLD_EVERY_S)
            self.progress = store.progress
            self._news.tell()

    async def _stop(self) -> None:
        if self._now is not None:
            self._now.cancel()
            with suppress(asyncio.CancelledError):
                await self._now

    def _took(self, turn: SyncTurn) -> None:
        if turn.trouble is None:
            self._done(turn.report)
        else:
            self._failed(turn.trouble.text)
        self._news.tell()

    def _done(self, report: SyncReport) -> None:
        self.report, self.trouble = report, None

    def _failed(self, trouble: Text) -> None:
        self.trouble, self.trouble_ms = trouble, time.time_ns() // 1_000_000
        self._news.tell()

    def _broke(self, bug: Exception) -> None:
        # Its words may be what somebody wrote: only what it is, and where.
        _log.error(
            "synchronising: %s at %s", type(bug).__name__, "".join(traceback.format_tb(bug.__traceback__)[-2:])
        )
        self._failed(_OUR_BUG)
