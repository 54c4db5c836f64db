"""One page with all pictures, smaller, by person and page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment

_SHEET = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Every page</title>
<style>
body { font: 14px/1.4 sans-serif; margin: 1rem }
section { display: flex; flex-wrap: wrap; gap: 1rem; align-items: start }
figure { margin: 0 } img { width: 16rem; border: 1px solid #888 } figcaption { width: 16rem; overflow-wrap: anywhere }
</style>
{% for folder, pictures in folders | dictsort %}
<h1>{{ folder }}</h1>
<section>
{% for picture in pictures %}
<figure>
<a href="{{ picture }}"><img src="{{ picture }}" alt="" loading="lazy"></a><figcaption>{{ picture.stem }}</figcaption>
</figure>
{% endfor %}
</section>
{% endfor %}
</html>
"""


def write_sheet(out: Path, pictures: Sequence[Path]) -> None:
    """Write `index.html` beside the pictures' folders."""
    folders: dict[str, list[Path]] = {}
    for picture in sorted(picture.relative_to(out) for picture in pictures):
        folders.setdefault(picture.parts[0], []).append(picture)
    page = Environment(autoescape=True).from_string(_SHEET).render(folders=folders)
    (out / "index.html").write_text(page, encoding="utf-8")
