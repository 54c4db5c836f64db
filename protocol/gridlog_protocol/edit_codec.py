"""One edit as a row: field, action and class, then key and value as the action needs them. Each has one shortest row.

What a row says before its key and value, its *shape*, is the same for thousands of edits, and is judged once.
"""

from __future__ import annotations

from typing import NamedTuple

from .canonical import NESTING, Value, is_nested_within, settled
from .errors import ProtocolError
from .limits import ELEMENT_KEY_BYTES_MAX, FIELD_NAME_CHARACTERS_MAX, VALUE_DEPTH_MAX
from .ops import Action, Edit
from .rows import Row
from .state import SENSITIVE

_ACTIONS = {int(action): action for action in Action}
_CODE_MAX = SENSITIVE << 4 | max(Action)
_SHORT, _LONG = 3, 4


class Shape(NamedTuple):
    """An edit's row without its key and value."""

    field: str
    action: Action
    digest_class: int
    is_short: bool
    is_plain: bool
    """A whole field is written: the row's last element is the value, and there is no key."""


def is_too_deep(value: Value) -> bool:
    """Tell whether a value nests deeper than an edit's may."""
    return type(value) in NESTING and not is_nested_within(value, VALUE_DEPTH_MAX)


def edit_row(edit: Edit) -> list[Value]:
    """Write one edit: field, action and class, then key and value as the action needs them."""
    code = edit.code
    if _is_written_short(edit.action, edit.key, edit.value):
        return [edit.field, code, edit.key if edit.action is Action.REMOVE else settled(edit.value)]
    return [edit.field, code, edit.key, settled(edit.value)]


def read_edit(value: Value) -> Edit:
    """Read one edit. Raises ProtocolError `malformed`."""
    if not isinstance(value, list) or len(value) < _SHORT:
        raise ProtocolError("malformed", detail="edit: not an array, or too short")
    return read_shaped(read_shape(value), value)


def read_shape(value: list[Value]) -> Shape:
    """Read what an edit's row says before its key and value. Raises ProtocolError `malformed`."""
    row = Row(value, "edit")
    field = row.text(4 * FIELD_NAME_CHARACTERS_MAX)
    code = row.whole(high=_CODE_MAX)
    action = _ACTIONS.get(code & 0x0F)
    if action is None:
        raise row.malformed("unknown action")
    if len(value) not in (_SHORT, _LONG):
        raise row.malformed("too short or too long")
    is_short = len(value) == _SHORT
    return Shape(field, action, code >> 4, is_short, is_short and action in (Action.SET, Action.COUNT))


def read_shaped(shape: Shape, value: list[Value]) -> Edit:
    """Read one edit, whose row has this shape. Raises ProtocolError `malformed`."""
    field, action, digest_class, is_short, is_plain = shape
    if is_plain and type(value[2]) not in NESTING:
        # As most edits.
        return Edit(field, action, "", value[2], digest_class)
    key, content = "", value[-1]
    if not is_short or action is Action.REMOVE:
        key = Row([value[2]], "edit").text(ELEMENT_KEY_BYTES_MAX)
        content = None if is_short else content
    if is_too_deep(content):
        raise ProtocolError("malformed", detail="edit: a value nested too deep")
    if is_short != _is_written_short(action, key, content):
        raise ProtocolError("malformed", detail="edit: not in its shortest form")
    return Edit(field, action, key, content, digest_class)


def _is_written_short(action: Action, key: str, content: Value) -> bool:
    return content is None if action is Action.REMOVE else key == "" and action is not Action.ADD
