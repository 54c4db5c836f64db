"""Take one street out of a file of division codes: `python -m tools.divisions --help`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tools.divisions.extract import (
    DivisionsError,
    StreetExtract,
    read_divisions,
    street_extract,
    written,
)


def main(
    source: Annotated[Path, typer.Option(help="JSON with the lists areas, streets and villages.")],
    street: Annotated[str, typer.Option(help="The street's 9-digit code, e.g. 420106001.")],
    out: Annotated[Path, typer.Option(help="Where to write the extract.")],
) -> None:
    """Check a file of division codes and write the part of one street."""
    try:
        extract = street_extract(read_divisions(source.read_text("utf-8")), street)
        out.write_text(written(extract), "utf-8")
    except (OSError, DivisionsError) as reason:
        Console(stderr=True).print(f"[red]{source}[/red]\n{reason}", highlight=False)
        raise typer.Exit(1) from None
    Console().print(_table(extract), f"written to {out}")


def _table(extract: StreetExtract) -> Table:
    table = Table(title=f"{extract.district.name} {extract.street.name}", caption=extract.source)
    table.add_column("code")
    table.add_column("community")
    for community in extract.communities:
        table.add_row(community.code, community.name)
    return table


if __name__ == "__main__":
    typer.run(main)
