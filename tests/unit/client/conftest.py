from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.client.stores import make_enrolled_store, make_store


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    make_store(tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a store with nine entries."""
    make_store(tmp_path / "store", entries=9)
    return tmp_path / "store"


@pytest.fixture
def enrolled(tmp_path: Path) -> Path:
    """Return a store that belongs to a worker."""
    make_enrolled_store(tmp_path / "enrolled")
    return tmp_path / "enrolled"
