"""Put the examples and tables between the document's markers.

The document states the inputs of its examples; what follows from them is computed by the code. A test does the same
and compares, so neither can drift from the other.
"""

from __future__ import annotations

import re
from itertools import zip_longest
from pathlib import Path
from textwrap import wrap

from tools.wire_document.cast import Cast
from tools.wire_document.examples import EXAMPLES, Lines
from tools.wire_document.tables import TABLES

DOCUMENT = Path(__file__).parents[2] / "protocol" / "README.md"
BLOCK = re.compile(r"<!-- (example|table): (\w+) -->\n(.*?)<!-- end -->", re.DOTALL)
_WIDTH = 118


def regenerated(document: str) -> str:
    """Return the document with every marked block computed anew from the inputs that it states."""
    cast = Cast.read(document)

    def block(found: re.Match[str]) -> str:
        kind, name, before = found[1], found[2], found[3]
        content = TABLES[name]() if kind == "table" else _fenced(EXAMPLES[name](cast, before))
        return f"<!-- {kind}: {name} -->\n{content}<!-- end -->"

    return BLOCK.sub(block, document)


def _fenced(lines: Lines) -> str:
    label_width = max(len(label) for label, _ in lines) + 2
    room = _WIDTH - label_width
    written = []
    for label, content in lines:
        text = content.hex() if isinstance(content, bytes) else content
        parts = wrap(text, room, break_on_hyphens=False)
        written += [f"{name:{label_width}}{part}" for name, part in zip_longest([label], parts, fillvalue="")]
    return "```text\n" + "\n".join(written) + "\n```\n"
