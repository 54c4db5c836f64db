"""A store whose server names the organisation's recovery key can be opened with that key's private half."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gridlog.entries import Enrolled
from gridlog.errors import RefusedError
from gridlog.store import FieldStore
from gridlog.vault import SlotKind
from gridlog_protocol.ids import DeviceHandle, Epoch, ScopeId, TenantId, UserId
from tests.unit.client.credentials_of import NOW_MS, PASSPHRASE, RECOVERY, WEAK

ENROLLED = Enrolled(
    "http://127.0.0.1:1",
    bytes(32),
    bytes(32),
    DeviceHandle(bytes(8)),
    TenantId("420106"),
    "水果湖街道",
    UserId(bytes(16)),
    "李芳",
    Epoch(bytes(8)),
    (ScopeId("tenant"),),
    1,
    NOW_MS,
    RECOVERY.private_key.public_key().public_bytes_raw(),
)


async def test_enrolment_gives_the_store_its_recovery_slot(tmp_path: Path) -> None:
    async with await FieldStore.make(tmp_path, PASSPHRASE, profile=WEAK) as store:
        await store._run(lambda: store._keep_enrolment(ENROLLED))
        assert store.slots == {SlotKind.PASSPHRASE, SlotKind.RECOVERY}
    async with await FieldStore.open(tmp_path, RECOVERY) as opened:
        assert (await opened.status()).user_name == "李芳"
        await opened.change_passphrase("another long passphrase", current=RECOVERY, profile=WEAK)
    async with await FieldStore.open(tmp_path, "another long passphrase") as again:
        assert again.user == ENROLLED.user


async def test_a_server_that_names_no_recovery_key_leaves_the_slots_as_they_are(tmp_path: Path) -> None:
    async with await FieldStore.make(tmp_path, PASSPHRASE, profile=WEAK) as store:
        await store._run(lambda: store._keep_enrolment(replace(ENROLLED, recovery_key=b"")))
        assert store.slots == {SlotKind.PASSPHRASE}


@pytest.mark.parametrize("key", [bytes(32), bytes(31)])
async def test_an_enrolment_with_a_recovery_key_that_is_none_is_refused_and_not_kept(
    tmp_path: Path, key: bytes
) -> None:
    async with await FieldStore.make(tmp_path, PASSPHRASE, profile=WEAK) as store:
        with pytest.raises(RefusedError):
            await store._run(lambda: store._keep_enrolment(replace(ENROLLED, recovery_key=key)))
        assert store.slots == {SlotKind.PASSPHRASE}
        assert store._memory.enrolled is None
