"""Place the front-end parts whenever the package is built or installed for development."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Builds run this file by its path, with nothing of the project importable.
sys.path.insert(0, str(Path(__file__).parents[2]))

from tools.frontend.placing import ensure


class FrontendHook(BuildHookInterface[Any]):
    """Runs before hatchling collects the files of a wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fetch and place the parts. Raises MissingPartsError."""
        del build_data
        ensure(with_tests=version == "editable")
