"""How records look to the worker: titles, fields in words, where each is and what to do. One for each request."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gridlog import DecidedNote, Draft, FieldStore, HeldNote, Record, Whereabouts
from gridlog_protocol.canonical import Value
from gridlog_protocol.decisions import Verdict
from gridlog_protocol.ids import UserId
from gridlog_protocol.kinds import (
    Choice,
    Day,
    Field,
    KindSet,
    ListOf,
    MapOf,
    Merge,
    Moment,
    Required,
    Sensitivity,
    SetOf,
    Struct,
    ValueType,
    Words,
)
from gridlog_protocol.kinds.presenting import shown_element, shown_value, title_of, visible
from gridlog_protocol.kinds.times import moment_ms
from gridlog_protocol.texts import Language, Text

from . import speech

_HIDDEN_FIELDS = frozenset(
    {"id", "record_type", "schema_version", "hlc", "epoch", "household_id", "transitions", "track_chunks", "comments"}
)
_SHOWN_CHARACTERS_MAX = 60
_SUMMARY_FIELDS = ("summary", "content", "facts", "title", "description", "label", "name", "text")


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a record: what it is called, and its text or the lines below it."""

    label: str
    text: str = ""
    parts: tuple[Fact, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a record is, as the worker reads it: a tone, the words, why, and what to do."""

    tone: str
    words: str
    then: str
    receipt: str = ""


_REVIEWS: Mapping[str, tuple[str, Text, Text]] = {
    "returned": (
        "bad",
        Text("已退回，请修改", "Returned to you"),
        Text("按意见修改后重新提交。", "Correct it as the comments say, then submit it again."),
    ),
    "submitted": (
        "sent",
        Text("已提交审核", "Submitted for review"),
        Text("等待审核，不用再做什么。", "It waits for the reviewer. Nothing to do."),
    ),
    "checked": (
        "sent",
        Text("初审通过", "Checked"),
        Text("等待审定，不用再做什么。", "It waits for approval. Nothing to do."),
    ),
    "approved": ("good", Text("已审定", "Approved"), Text("已经办完。", "All done.")),
    "archived": ("good", Text("已归档", "Archived"), Text("已经办完。", "All done.")),
}


class Look:
    """Who looks, in which language, and what is known to him by name."""

    def __init__(
        self, language: Language, kinds: KindSet, me: UserId, my_name: str, names: Mapping[bytes, str]
    ) -> None:
        self.language = language
        self.kinds = kinds
        self.me = me
        self.names = {UserId(each): name for each, name in names.items()} | {me: my_name}

    @staticmethod
    async def of(store: FieldStore, language: Language, names: Mapping[bytes, str]) -> Look:
        """Return how this store's worker looks at it."""
        return Look(language, store.kinds, store.user, (await store.status()).user_name, names)

    def say(self, text: Text) -> str:
        """Return a text in the worker's language."""
        return text.spoken(self.language)

    def who(self, user: bytes | None) -> str:
        """Name a person: by name if this phone knows it, else by the end of the id."""
        if user is None:
            return "—"
        name = self.names.get(UserId(user))
        if name is not None:
            return visible(name)
        return self.say(Text(f"同事 {user.hex()[-4:]}", f"colleague {user.hex()[-4:]}"))

    def kind_label(self, name: str) -> str:
        """Return what a kind is called."""
        kind = self.kinds.get(name)
        return self.say(kind.label) if kind else visible(name)

    def field(self, kind_name: str, name: str) -> Field | None:
        """Return a field, if this version knows it."""
        kind = self.kinds.get(kind_name)
        return kind.fields.get(name) if kind else None

    def field_label(self, kind_name: str, name: str) -> str:
        """Return what a field is called."""
        field = self.field(kind_name, name)
        return self.say(field.label) if field else visible(name)

    def title(self, of: Record | Draft) -> str:
        """Return the line that tells a record from others: what it says first, or else its kind."""
        values = of.values
        for name in _SUMMARY_FIELDS:
            text = values.get(name)
            if isinstance(text, str) and text.strip():
                line = visible(text.strip())
                return line if len(line) <= _SHOWN_CHARACTERS_MAX else line[: _SHOWN_CHARACTERS_MAX - 1] + "…"
        if of.kind == "household_visit":
            parts = [
                self.home(of),
                self.value(of.kind, "result", values.get("result")) if values.get("result") else "",
            ]
            if any(parts):
                return " · ".join(each for each in parts if each)
        named = title_of(self.kinds.get(of.kind), values, self.language, names=self.names)
        if isinstance(of, Draft) and of.kind != "patrol":
            return self.say(Text("还没有写内容", "Nothing written yet"))
        return named or self.kind_label(of.kind)

    def home(self, of: Record | Draft) -> str:
        """Return the door that a visit is about, if this phone knows it."""
        household = of.values.get("household_id")
        return visible(self.names.get(UserId(household), "")) if isinstance(household, bytes) else ""

    def when(self, of: Record | Draft) -> str:
        """Return when a record happened, short."""
        for name in ("started_at", "discovered_at", "accepted_at", "occurred_at"):
            value = of.values.get(name)
            if isinstance(value, str):
                at_ms = moment_ms(value)
                if at_ms is not None:
                    return speech.short_ms(at_ms, self.language)
        return ""

    def written(self, record: Record) -> str:
        """Return when a record was first written, by its id."""
        return speech.spelled_ms(int.from_bytes(record.id[:6], "big"), self.language)

    def since(self, then_ms: int) -> str:
        """Return how long ago that was."""
        return self.say(speech.ago(max(time.time_ns() // 1_000_000 - then_ms, 0)))

    def facts(self, record: Record) -> list[Fact]:
        """Return what a record says, field by field, in the order of its kind."""
        kind = self.kinds.get(record.kind)
        known = [name for name in kind.fields if name in record.values] if kind else []
        names = [*known, *(name for name in record.values if name not in known)]
        shown = []
        for name in names:
            field = kind.fields.get(name) if kind else None
            if name in _HIDDEN_FIELDS or (field and field.from_op):
                continue
            fact = self._fact(field.type if field else None, self.field_label(record.kind, name), record.values[name])
            shown.append(Fact(fact.label, fact.text, fact.parts, name))
        return shown

    def value(self, kind_name: str, name: str, value: Value) -> str:
        """Return one value as a text."""
        field = self.field(kind_name, name)
        fact = self._fact(field.type if field else None, "", value)
        if not fact.parts:
            return fact.text
        return shown_value(field, value, self.language, names=self.names, is_whole=True)

    def element(self, kind_name: str, name: str, value: Value) -> str:
        """Return the value of one cell as a text."""
        field = self.field(kind_name, name)
        if field is not None and field.has_elements:
            return shown_element(field, value, self.language, names=self.names, is_whole=True)
        return self.value(kind_name, name, value)

    def rows(self, kind_name: str, name: str, value: Value) -> tuple[Fact, ...]:
        """Return the elements of a list as lines, each with its parts."""
        field = self.field(kind_name, name)
        return self._fact(field.type, "", value).parts if field and isinstance(value, list) else ()

    def comments(self, record: Record) -> dict[str, list[str]]:
        """Return what a reviewer said in the present round, by the field concerned; of the whole, under no name.

        Why a record was returned stands in its history, and comes first.
        """
        number = record.rounds.get("review_state", {}).get("", 0)
        said: dict[str, list[str]] = {}
        if record.values.get("review_state") == "returned":
            returns = [each for each in _rows(record, "transitions") if each.get("event") == "return"]
            said[""] = [self._said(each, "note") for each in returns[-1:] if each.get("note")]
        for each in _rows(record, "comments"):
            if each.get("round") in (None, number):
                said.setdefault(str(each.get("field") or ""), []).append(self._said(each, "text"))
        return said

    def _said(self, row: Mapping[str, Value], name: str) -> str:
        by = row.get("by")
        who = self.who(by) if isinstance(by, bytes) else ""
        return f"{who}{self.say(Text('：', ': '))}{visible(str(row.get(name, '')))}"

    def standing(
        self, record: Record, held: Sequence[HeldNote] = (), decided: Sequence[DecidedNote] = ()
    ) -> Standing:
        """Return where a record is, why, and what to do."""
        words, receipt = self.say(record.whereabouts.value), record.receipt or ""
        match record.whereabouts:
            case Whereabouts.ON_DEVICE:
                then = Text("已存好，有信号时自动发送。", "Saved. It goes out by itself when there is a signal.")
                return Standing("waiting", words, self.say(then))
            case Whereabouts.HELD:
                why = [self.say(each.text) for each in held if each.record == record.id]
                return Standing("sent", words, " ".join(why), receipt)
            case Whereabouts.REJECTED:
                why = [each.reason for each in decided if each.record == record.id and each.reason]
                then = Text("可以改好再写一次。", "You can correct it and write it again.")
                return Standing(
                    "bad", words, " ".join([*(visible(each) for each in why[:1]), self.say(then)]), receipt
                )
            case Whereabouts.RECEIVED:
                return self._received(record, words, receipt)

    def _received(self, record: Record, words: str, receipt: str) -> Standing:
        review = _REVIEWS.get(str(record.values.get("review_state", "")))
        if review is not None:
            tone, said, then = review
            return Standing(tone, self.say(said), self.say(then), receipt)
        if not receipt:
            return Standing("sent", self.say(Text("来自服务器", "From the server")), "", "")
        return Standing("good", words, self.say(Text("不用再做什么。", "Nothing to do.")), receipt)

    def decision(self, note: DecidedNote) -> str:
        """Return what was decided about an edit of this worker."""
        said = Text("已采纳", "accepted") if note.verdict is Verdict.RELEASED else Text("未被采纳", "not accepted")
        return self.say(said)

    def _fact(self, type_: ValueType | None, label: str, value: Value) -> Fact:
        match type_, value:
            case Moment(), str():
                return Fact(label, visible(speech.spelled_moment(value, self.language)))
            case Day(), str():
                return Fact(label, visible(speech.spelled_day(value, self.language)))
            case Words(), str():
                # Lines stay lines here: the page keeps them, and nothing in them is obeyed.
                return Fact(label, "\n".join(visible(line) for line in value.replace("\r\n", "\n").split("\n")))
            case Struct(), dict():
                return Fact(label, parts=self._members(type_, value))
            case ((SetOf(element=Struct() as element) | ListOf(element=element)), list()):
                rows = (self._fact(element, str(number), each) for number, each in enumerate(value, 1))
                return Fact(label, parts=tuple(rows))
            case MapOf(), dict():
                rows = (self._fact(type_.element, visible(key), each) for key, each in value.items())
                return Fact(label, parts=tuple(rows))
            case SetOf(element=Choice() as element), list():
                chosen = (element.option(each) if isinstance(each, str) else None for each in value)
                known = [self.say(each.label) for each in chosen if each]
                return Fact(label, ("、" if self.language == "zh" else ", ").join(known) or "—")
        field = None if type_ is None else _nameless(type_)
        return Fact(label, shown_value(field, value, self.language, names=self.names, is_whole=True))

    def _members(self, type_: Struct, value: Mapping[str, Value]) -> tuple[Fact, ...]:
        return tuple(
            self._fact(member.type, self.say(member.label), value[name])
            for name, member in type_.members.items()
            if name != "id" and value.get(name) is not None
        )


def _rows(record: Record, name: str) -> list[dict[str, Value]]:
    rows = record.values.get(name)
    return [each for each in rows if isinstance(each, dict)] if isinstance(rows, list) else []


def _nameless(type_: ValueType) -> Field:
    """Return a field of this type, for texts that ask for one."""
    label = Text("", "")
    return Field("", label, type_, Required.NO, Sensitivity.INTERNAL, Merge.LWW, "")
