"""Put something else in the place of a function or number of the production code, and the right one back after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def replaced(owner: object, name: str, substitute: object) -> Iterator[None]:
    """Replace an attribute that is there already: a name that no longer exists must fail, not pass."""
    kept = vars(owner)[name]
    setattr(owner, name, substitute)
    try:
        yield
    finally:
        setattr(owner, name, kept)


@contextmanager
def overridden(owner: object, name: str, substitute: object) -> Iterator[None]:
    """Put an attribute of its own on an instance, over the one of its class."""
    setattr(owner, name, substitute)
    try:
        yield
    finally:
        delattr(owner, name)
