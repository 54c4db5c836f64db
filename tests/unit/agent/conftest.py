from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.agent.browsing import Browser, browsing
from tests.unit.client.stores import make_enrolled_store


@pytest.fixture
def enrolled(tmp_path: Path) -> Path:
    """Return a store that belongs to a worker, and whose server nobody can reach."""
    make_enrolled_store(tmp_path / "enrolled")
    return tmp_path / "enrolled"


@pytest.fixture
async def browser(enrolled: Path) -> AsyncIterator[Browser]:
    """Return a browser before an open store."""
    async with browsing(enrolled) as found:
        await found.unlock()
        yield found
