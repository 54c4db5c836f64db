from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Playwright, async_playwright

from gridlog.testing import ThrowAwayServer, throw_away_server
from tests.browser.office import Office, open_office


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async with open_office() as opened:
        yield opened


@pytest.fixture
async def playwright() -> AsyncIterator[Playwright]:
    async with async_playwright() as started:
        yield started


@pytest.fixture
async def server() -> AsyncIterator[ThrowAwayServer]:
    async with throw_away_server() as started:
        yield started


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """Return where the browser keeps what it keeps."""
    return tmp_path / "profile"
