"""Say in what two replicas of a record differ: what a repair has to explain. Names fields, never their values."""

from __future__ import annotations

from collections.abc import Iterator

from gridlog_protocol.state import FieldState, RecordState


def discrepancies(mine: RecordState | None, theirs: RecordState | None) -> Iterator[str]:
    """Yield how the device's replica of a record differs from the server's, one phrase each.

    A side is newer in a field if it knows of a later position in the log; with equal ones, somebody merged wrongly.
    """
    if mine is None or theirs is None:
        yield "missing here" if mine is None else "not at the server"
        return
    if (mine.kind, mine.origin) != (theirs.kind, theirs.origin):
        yield "kind or origin differs"
    for name in sorted(mine.fields.keys() | theirs.fields.keys()):
        one, other = mine.fields.get(name), theirs.fields.get(name)
        if one is None or other is None:
            yield f"{name} missing {'here' if one is None else 'at the server'}"
        elif _content(one) != _content(other):
            yield f"{name} differs, {_newer(one, other)}"


def _content(field: FieldState) -> object:
    return field.digest_class, {key: cell.heads for key, cell in field.cells.items() if cell.heads}


def _newer(mine: FieldState, theirs: FieldState) -> str:
    ahead = _last_position(mine) - _last_position(theirs)
    return "equally new" if not ahead else "newer here" if ahead > 0 else "newer at the server"


def _last_position(field: FieldState) -> int:
    heads = [head.position for cell in field.cells.values() for head in cell.heads]
    return max([field.changed, *heads])
