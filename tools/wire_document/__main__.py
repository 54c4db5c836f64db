"""Write the computed parts of the wire specification anew: `python -m tools.wire_document`."""

from tools.wire_document.document import DOCUMENT, regenerated

DOCUMENT.write_text(regenerated(DOCUMENT.read_text("utf-8")), "utf-8")
