from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.console.browsing import Console, console_on
from tests.unit.server.building import serving


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    async with serving(tmp_path) as server, console_on(server) as opened:
        yield opened
