"""Lists and searches find what somebody finds who reads every record."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from shutil import copytree

import pytest

from gridlog import FieldStore, Record
from gridlog.projection import Projection
from gridlog.sights import confirmed_of
from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import shipped_kinds
from tests.unit.client.filled import ME, PATROL, make_filled, opened
from tools.bench.records import confirmed_records, scopes

KINDS = ("patrol", "household_visit", "mediation")
DAILY: dict[str, Value] = {"patrol_type": "daily"}
WANTED: list[dict[str, Value]] = [
    {"grid_code": scopes()[1]},
    DAILY,
    {"grid_code": scopes()[0], "patrol_type": "daily"},
    {"leader": ME},
    {"companions": "刘师傅"},
    {"purpose": "routine"},
    {"satisfaction": 4},
    {"quick_ratings": True},
    {"no_such_field": "x"},
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that is made once: its records take longer than all that is asked about them."""
    directory = tmp_path_factory.mktemp("made") / "store"
    make_filled(directory, 120)
    return directory


@pytest.fixture(params=[1_000, 10], ids=["read", "indexed"])
async def store(
    made: Path, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FieldStore]:
    monkeypatch.setattr("gridlog.looking._TRIED", request.param)
    copytree(made, tmp_path / "store")
    filled = await opened(tmp_path / "store")
    await filled.create("patrol", PATROL | {"companions": ["刘师傅", ME], "tags": ["lamp"]})
    yield filled
    await filled.close()


async def everything(store: FieldStore, kind: str) -> list[Record]:
    return await store.query(kind, limit=1000)


def refuse(_: object, kind: str, field: str) -> int:
    raise AssertionError(f"an index is made over {field} of {kind}")


def has(record: Record, field: str, value: Value) -> bool:
    found = record.values.get(field)
    inside: Iterable[Value] = (
        found if isinstance(found, list) else found.values() if isinstance(found, dict) else [found]
    )
    return any(each == value and isinstance(each, bool) == isinstance(value, bool) for each in inside)


@pytest.mark.parametrize("where", WANTED)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_list_has_exactly_the_records_that_equal_or_contain_the_values(
    store: FieldStore, kind: str, where: dict[str, Value]
) -> None:
    expected = [
        each.id for each in await everything(store, kind) if all(has(each, *wanted) for wanted in where.items())
    ]

    assert [each.id for each in await store.query(kind, where=where, limit=1000)] == expected
    assert [each.id for each in await store.query(kind, where=where, limit=3, offset=2)] == expected[2:5]


async def test_what_the_lists_look_for_is_found_somewhere(store: FieldStore) -> None:
    found = [[await store.query(kind, where=where) for kind in KINDS] for where in WANTED]

    assert [any(each) for each in found] == [True] * (len(WANTED) - 1) + [False]


@pytest.mark.parametrize("field", ["started_at", "-started_at", "satisfaction", "-companions"])
async def test_a_list_is_in_the_order_of_a_field_and_those_without_it_come_first_or_last(
    store: FieldStore, field: str
) -> None:
    name = field.lstrip("-")
    for kind in KINDS:
        listed = [each.values.get(name) for each in await store.query(kind, order=field, limit=1000)]

        assert len(listed) == len(await everything(store, kind))
        plain = [each for each in listed if isinstance(each, (str, int))]
        assert plain == sorted(plain, key=str, reverse=field.startswith("-"))
        absent = [index for index, each in enumerate(listed) if each is None]
        first = len(listed) - len(absent) if field.startswith("-") else 0
        assert absent == [*range(first, first + len(absent))]


async def test_an_index_follows_what_is_written(store: FieldStore) -> None:
    wanted: dict[str, Value] = {"tags": "lamp"}
    [record] = await store.query("patrol", where=wanted, order="-weather")
    record = await store.edit(record, {"tags": ["road", "lamp"], "weather": "rain"})
    assert [each.id for each in await store.query("patrol", where={"tags": "road"}, order="weather")] == [record.id]

    await store.edit(record, {"tags": ["road"]})

    assert await store.query("patrol", where=wanted) == []
    assert len(await store.query("patrol", where={"tags": "road"})) == 1


async def test_a_store_that_opens_has_the_indexes_and_they_follow_what_is_written(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gridlog.looking._TRIED", 10)
    directory = copytree(made, tmp_path / "store")
    async with await opened(directory) as store:
        [newest, *_] = before = await store.query("patrol", where=DAILY, order="-started_at", limit=1000)
        await store.lock()
    monkeypatch.setattr("gridlog.looking.Lookup._make_index", refuse)

    async with await opened(directory) as store:
        assert await store.query("patrol", where=DAILY, order="-started_at", limit=1000) == before
        assert await store.query("household_visit", where={"grid_code": scopes()[1]}, order="started_at")
        await store.edit(newest, {"patrol_type": "night"})
        rest = await store.query("patrol", where=DAILY, order="-started_at", limit=1000)
        assert [each.id for each in rest] == [each.id for each in before[1:]]


def test_what_a_change_reads_does_not_grow_with_the_store() -> None:
    steps = []
    for size in (50, 800):
        records = [*confirmed_records(size)]
        projection = Projection(shipped_kinds())
        projection.confirm_all([confirmed_of(each, shipped_kinds()) for each in records])
        projection.serialized()
        steps.append(0)

        def count() -> None:
            steps[-1] += 1

        projection._connection.set_progress_handler(count, 1)
        projection.show(records[7].id, None)
        projection.show(records[7].id, records[7])
        projection.close()
    assert 0 < steps[1] < 1.5 * steps[0]


async def test_a_withdrawn_record_is_in_no_list_and_no_search_until_it_is_put_back(store: FieldStore) -> None:
    record = await store.create("patrol", PATROL | {"summary": "东湖路口的井盖松了"})
    await store.query("patrol", where={"leader": ME}, order="summary")
    record = await store.withdraw(record, "地点写错了，重新登记")

    assert record.id not in [each.id for each in await store.query("patrol", where={"leader": ME}, order="summary")]
    assert await store.search("井盖松了") == []
    assert record.id in [each.id for each in await store.query("patrol", limit=1000, with_withdrawn=True)]

    await store.restore(record)
    assert [each.id for each in await store.search("井盖松了")] == [record.id]


async def test_any_part_of_any_text_is_found(store: FieldStore) -> None:
    for kind in KINDS:
        for record in (await everything(store, kind))[:15]:
            text = str(record.values.get("summary") or record.values.get("content") or record.values.get("facts"))
            for begin in range(0, len(text) - 5, 7):
                part = text[begin : begin + 5].strip()
                if part and not part.isspace():
                    assert record.id in [each.id for each in await store.search(part, limit=1000)], part


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('他说"不要紧"\n第二行\\反斜杠', '说"不要紧"'),
        ('他说"不要紧"\n第二行\\反斜杠', "行\\反"),
        ("打折 50% 的_标签!", "50%"),
        ("打折 50% 的_标签!", "的_标"),
        ("打折 50% 的_标签!", "签!"),
        ("Wi-Fi 密码 ABC", "wi-fi abc"),
        ("𠮷野家门口 👨‍👩‍👧", "𠮷野"),
        ("𠮷野家门口 👨‍👩‍👧", "👨‍👩‍👧"),
    ],
)
async def test_signs_mean_themselves_and_words_may_be_apart(store: FieldStore, text: str, words: str) -> None:
    record = await store.create("patrol", PATROL | {"summary": text})

    assert [each.id for each in await store.search(words)] == [record.id]
    assert await store.search(words + " 绝无此事") == []
    assert await store.search(words, kind="mediation") == []


@pytest.mark.parametrize("words", ["", "  ", "summary", "patrol_type", "#", "_%_", '":"'])
async def test_names_of_fields_and_the_signs_of_json_are_no_text(store: FieldStore, words: str) -> None:
    assert await store.search(words) == []
