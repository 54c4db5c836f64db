"""Read TOML tables so that every mistake is found, and named where it stands.

A key that nobody asked for is a mistake: a misspelt `senstivity` must not silently become a default.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

from gridlog_protocol.kinds.value_types import Scalar
from gridlog_protocol.texts import Text

SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


class KindFileError(ValueError):
    """A kind file has a mistake. Correct the file at the named field and load it again."""

    def __init__(self, source: str, field: str | None, reason: Text) -> None:
        self.source = source
        self.field = field
        self.reason = reason
        place = f"{source}: {field}" if field else source
        super().__init__(f"{place}: {reason.zh} / {reason.en}")


class Table:
    """One table of a file, being read. `path` is where it stands, as the error will name it."""

    __slots__ = ("_asked", "_content", "path", "source")

    def __init__(self, source: str, path: str, content: dict[str, object]) -> None:
        self.source = source
        self.path = path
        self._content = content
        self._asked: set[str] = set()

    @classmethod
    def parsed(cls, text: str, *, source: str) -> Table:
        """Parse a whole file. Raises KindFileError."""
        try:
            return cls(source, "", tomllib.loads(text))
        except (tomllib.TOMLDecodeError, RecursionError) as reason:
            said = str(reason)
            raise KindFileError(source, None, Text(f"不是正确的 TOML：{said}", f"not valid TOML: {said}")) from None

    def refused(self, zh: str, en: str, *, key: str | None = None) -> KindFileError:
        """Make the error that says what is wrong here, or with one key of this table."""
        return KindFileError(self.source, self._place(key) or None, Text(zh, en))

    def has(self, key: str) -> bool:
        """Tell whether the key is given."""
        return key in self._content

    def words(self, key: str) -> str:
        """Return a text that must be given and not be blank."""
        value = self._get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.refused("应为非空文字", "must be text, and not empty", key=key)
        return value

    def name(self, key: str) -> str:
        """Return a text that must be a snake_case name."""
        return self.snake(self.words(key), key=key)

    def snake(self, value: str, *, key: str | None = None) -> str:
        """Return the same text if it is a snake_case name."""
        if not SNAKE_CASE.fullmatch(value):
            raise self.refused(
                f"名称“{value}”应为小写字母、数字和下划线，以字母开头",
                f"the name {value!r} must be snake_case: lower-case letters, digits, single _",
                key=key,
            )
        return value

    def one_of(self, key: str, known: tuple[str, ...]) -> str:
        """Return a text that must be one of those known."""
        value = self.words(key)
        if value not in known:
            listed = ", ".join(known)
            raise self.refused(
                f"不认识“{value}”，可用：{listed}", f"unknown {value!r}; use one of: {listed}", key=key
            )
        return value

    def whole(self, key: str, default: int | None = None) -> int:
        """Return a whole number; it must be given if there is no default."""
        if default is not None and not self.has(key):
            return default
        value = self._get(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.refused("应为整数", "must be a whole number", key=key)
        return value

    def count(self, key: str, default: int | None = None) -> int:
        """Return a whole number that is not negative."""
        value = self.whole(key, default)
        if value < 0:
            raise self.refused("不能为负数", "must not be negative", key=key)
        return value

    def flag(self, key: str) -> bool:
        """Return a flag, false if not given."""
        value = self._get(key) if self.has(key) else False
        if not isinstance(value, bool):
            raise self.refused("应为 true 或 false", "must be true or false", key=key)
        return value

    def label(self, prefix: str = "") -> Text:
        """Return what this thing is called, from the keys `zh` and `en`."""
        return Text(self.words(f"{prefix}zh"), self.words(f"{prefix}en"))

    def strings(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, empty if not given."""
        values = self._list(key)
        if not all(isinstance(value, str) for value in values):
            raise self.refused("应为文字列表", "must be a list of texts", key=key)
        return tuple(str(value) for value in values)

    def scalars(self, key: str) -> tuple[Scalar, ...]:
        """Return a list of texts, whole numbers or flags, empty if not given."""
        values = self._list(key)
        scalars = tuple(value for value in values if isinstance(value, (bool, int, str)))
        if len(scalars) != len(values):
            raise self.refused(
                "应为文字、整数或 true/false 的列表",
                "must be a list of texts, whole numbers or true/false",
                key=key,
            )
        return scalars

    def raw(self, key: str) -> object:
        """Return whatever is given, or None."""
        return self._get(key) if self.has(key) else None

    def table(self, key: str, *, path: str | None = None) -> Table:
        """Return a table that must be given; errors name it by `path`, if that says it better."""
        return self._table(self._get(key), self._place(key) if path is None else path)

    def tables(self, key: str) -> list[Table]:
        """Return a list of tables, empty if not given."""
        places = enumerate(self._list(key), start=1)
        return [self._table(value, f"{self._place(key)}[{place}]") for place, value in places]

    def named(self) -> Iterator[tuple[str, Table]]:
        """Yield every key of this table with the table it holds; keys are snake_case names."""
        for key in self._content:
            yield self.snake(key), self.table(key)

    def close(self) -> None:
        """Refuse what nobody asked for."""
        unknown = sorted(self._content.keys() - self._asked)
        if unknown:
            listed = ", ".join(unknown)
            raise self.refused(f"不认识的键：{listed}", f"unknown key: {listed}")

    def _get(self, key: str) -> object:
        self._asked.add(key)
        if key not in self._content:
            raise self.refused(f"缺少“{key}”", f"{key!r} is missing")
        return self._content[key]

    def _list(self, key: str) -> list[object]:
        value = self._get(key) if self.has(key) else []
        if not isinstance(value, list):
            raise self.refused("应为列表", "must be a list", key=key)
        return value

    def _table(self, value: object, path: str) -> Table:
        if not isinstance(value, dict):
            raise KindFileError(self.source, path, Text("应为表", "must be a table"))
        return Table(self.source, path, value)

    def _place(self, key: str | None) -> str:
        return ".".join(part for part in (self.path, key) if part)
