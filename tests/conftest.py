"""What holds for every test: no property fails because a machine was busy, and none takes all day.

`HYPOTHESIS_PROFILE=thorough` looks at ten times as many examples.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("patient", deadline=None, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "patient"))
