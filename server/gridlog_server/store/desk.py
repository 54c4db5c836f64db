"""What the console asks of a database beside what devices need: part of `contract`, for stores that serve one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from .contract import Store, Transaction

T = TypeVar("T")


class Desk(Protocol):
    """Questions of the office."""

    async def received(self, segments: Collection[int]) -> dict[int, int]:
        """Return when segments came in, by their number (Unix ms)."""
        ...


class DeskTransaction(Transaction, Protocol):
    """A transaction that answers the office too."""

    @property
    def desk(self) -> Desk:
        """Questions of the office."""
        ...


class DeskStore(Store, Protocol):
    """A database that the console can work with."""

    def reading(self) -> AbstractAsyncContextManager[DeskTransaction]:
        """Open a snapshot that cannot write."""
        ...

    async def commit(self, work: Callable[[DeskTransaction], Awaitable[T]]) -> T:
        """Run `work` in a write transaction. See `Store`."""
        ...
