"""Which devices may hold a record: the scopes it is in, read from the record itself.

A record is in the scopes of *all* heads of its scope field: while two grids are claimed for it, both keep it.
"""

from __future__ import annotations

from gridlog_protocol.ids import TENANT_SCOPE, ScopeId
from gridlog_protocol.kinds import Kind
from gridlog_protocol.ops import Op
from gridlog_protocol.state import RecordState


def scopes_of_record(record: RecordState, kind: Kind) -> frozenset[ScopeId]:
    """Return the scopes a record is in. Reference data, of kinds without a scope field, is the tenant's."""
    if not kind.scope_field:
        return frozenset({TENANT_SCOPE})
    field = record.fields.get(kind.scope_field)
    heads = (head for cell in field.cells.values() for head in cell.heads) if field else ()
    return frozenset(ScopeId(head.value) for head in heads if isinstance(head.value, str))


def scopes_of_edit(op: Op, kind: Kind) -> frozenset[ScopeId]:
    """Return the scopes that an op would put its record into, beyond those it is in."""
    name = kind.scope_field
    values = [edit.value for edit in op.edits if edit.field == name] if name else []
    return frozenset([ScopeId(value) for value in values if isinstance(value, str)])
