"""Commands for forms that are not finished: begin and fill in, list, finish, discard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text as Line

from gridlog_protocol.ids import shown
from gridlog_protocol.kinds import Kind
from gridlog_protocol.kinds.presenting import title_of
from gridlog_sync.writing import Change

from . import cli_tables
from .assignments import changes_of, kind_named
from .cli_options import DEFAULT_STORE, AsJson, IdPrefix, Store
from .cli_store import filled_in, found_draft, found_record, in_store, now, out, reader_of, say, say_json
from .cli_tables import Reader
from .cli_times import written
from .drafts import Draft, laid_over
from .errors import UnknownDraftError, UnknownKindError
from .records import Record
from .store import FieldStore

drafting = typer.Typer()


@drafting.command(
    help=say(
        "没填完的先存为草稿：写种类开始新的，写标识继续填，或修改一条记录。",
        "Keep what is not finished. A kind begins a draft; an id goes on with one, or begins to edit a record.",
    )
)
def draft(
    of: Annotated[str, typer.Argument(metavar="KIND|ID", help=say("种类或标识。", "A kind, or an id."))],
    values: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FIELD=VALUE]...", help=say("项目=内容；+= 增加，-= 去掉。", "field=value; += adds, -= removes.")
        ),
    ] = None,
    store: Store = DEFAULT_STORE,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Begin, or go on."""

    async def work(opened: FieldStore) -> tuple[Draft, Reader]:
        return await _drafted(opened, of, values or []), await reader_of(opened)

    saved, reader = in_store(store, work)
    if as_json:
        say_json(_draft_json(saved))
        return
    out.print(
        say("已存为草稿，还没有提交：", "Saved as a draft, not written yet: ") + _title(saved, reader), markup=False
    )
    print(shown(saved.id))  # noqa: T201 - alone on its line, to be copied
    out.print(_draft_page(saved, reader))


@drafting.command(help=say("没填完的草稿，最近保存的在前。", "Drafts to finish, the one saved last first."))
def drafts(store: Store = DEFAULT_STORE, as_json: AsJson = False) -> None:  # noqa: FBT002
    """List drafts."""

    async def work(opened: FieldStore) -> tuple[list[Draft], Reader]:
        return await opened.drafts(), await reader_of(opened)

    found, reader = in_store(store, work)
    if as_json:
        say_json([_draft_json(each) for each in found])
    else:
        out.print(_drafts_table(found, reader) if found else say("没有草稿。", "There are no drafts."))


@drafting.command(help=say("填完草稿：检查后写成记录。", "Finish a draft: it is checked, and becomes a record."))
def finish(draft: IdPrefix, store: Store = DEFAULT_STORE) -> None:
    """Finalise."""

    async def work(opened: FieldStore) -> tuple[Record, Reader]:
        found = await found_draft(opened, draft)
        return await opened.finalise(found.id), await reader_of(opened)

    record, reader = in_store(store, work)
    colon, kind = say("：", ": "), reader.kind_label(record.kind)
    out.print(f"{say('已保存', 'Saved')}{colon}{kind} · {reader.title(record)}", markup=False)
    print(shown(record.id))  # noqa: T201 - alone on its line, to be copied
    out.print(cli_tables.where_line(record, (), reader))


@drafting.command(help=say("丢弃草稿；原来的记录不变。", "Throw a draft away; its record stays as it is."))
def discard(draft: IdPrefix, store: Store = DEFAULT_STORE) -> None:
    """Discard."""

    async def work(opened: FieldStore) -> tuple[Draft, Reader]:
        found = await found_draft(opened, draft)
        await opened.discard_draft(found.id)
        return found, await reader_of(opened)

    gone, reader = in_store(store, work)
    out.print(say("已丢弃：", "Discarded: ") + _title(gone, reader), markup=False)


async def _drafted(store: FieldStore, of: str, words: Sequence[str]) -> Draft:
    """Begin a draft of a kind, go on with one, or begin one on a record, and save what is typed."""
    try:
        kind = kind_named(store.kinds, of)
    except UnknownKindError as unknown:
        with suppress(UnknownDraftError):
            found = await found_draft(store, _as_id(of, unknown))
            return await store.save_draft(found.id, _followed(store, found, words))
        record = await store.get(await found_record(store, of))
        return await store.begin_draft(record, _typed(store, kind_named(store.kinds, record.kind), words))
    known = filled_in(kind, await store.status())
    return await store.begin_draft(kind.name, {**known, **_typed(store, kind, words)})


def _as_id(of: str, unknown: UnknownKindError) -> str:
    """Return what can be an id; what cannot was meant as a kind, and there is none such."""
    if set(of.strip().lower()) - set("0123456789abcdef-"):
        raise unknown
    return of


def _typed(store: FieldStore, kind: Kind, words: Sequence[str]) -> dict[str, Change]:
    return changes_of(kind, words, me=store.user, now=now())


def _followed(store: FieldStore, draft: Draft, words: Sequence[str]) -> Mapping[str, Change]:
    """Return what is to be saved. A draft keeps one change a field: `+=` after another adds to what it shows."""
    kind = kind_named(store.kinds, draft.kind)
    return {
        name: laid_over(draft.values.get(name), change, kind.fields[name]) if name in draft.changes else change
        for name, change in _typed(store, kind, words).items()
    }


def _title(draft: Draft, reader: Reader) -> str:
    kind = reader.kinds.get(draft.kind)
    title = title_of(kind, draft.values, reader.language, names=reader.names)
    return " · ".join(part for part in (reader.kind_label(draft.kind), title) if part)


def _draft_page(draft: Draft, reader: Reader) -> RenderableType:
    short = cli_tables.short_id(draft.id)
    then = reader.say(f"继续填：gridlog draft {short} 项目=内容", f"To go on: gridlog draft {short} field=value")
    end = reader.say(f"填完了：gridlog finish {short}", f"When it is done: gridlog finish {short}")
    return Group(cli_tables.values_table(draft.kind, draft.values, reader), Line(then), Line(end))


def _drafts_table(drafts: Sequence[Draft], reader: Reader) -> RenderableType:
    table = cli_tables.table_of(reader, "标识|Id", "草稿|Draft", "用于|For", "保存于|Saved")
    for each, name in zip(drafts, cli_tables.short_ids([each.id for each in drafts]), strict=True):
        purpose = reader.say("新记录", "a new record") if each.is_new else reader.say("修改记录", "an edit")
        table.add_row(name, escape(_title(each, reader)), purpose, written(each.saved_ms))
    return table


def _draft_json(draft: Draft) -> dict[str, Any]:
    """Return a draft as plain JSON values; times are Unix milliseconds."""
    return {
        "id": shown(draft.id),
        "kind": draft.kind,
        "is_new": draft.is_new,
        "begun_ms": draft.begun_ms,
        "saved_ms": draft.saved_ms,
        "changed": sorted(draft.changes),
        "values": cli_tables.values_json(draft.values),
    }
