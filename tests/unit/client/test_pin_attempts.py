"""Ten PINs, with growing pauses, and not one more: not for who kills the process, and not for who sets the clock."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gridlog import keyfile
from gridlog.attempts import ATTEMPTS_MAX, delay_s
from gridlog.errors import DiskFailedError, GridlogError
from gridlog.vault import KEYS_FILE, SlotKind, Vault
from gridlog.vault_errors import NoPinError, PinDestroyedError, PinWaitError, WrongPinError
from tests.unit.client.credentials_of import (
    ALL,
    BADGE,
    NOW_MS,
    PASSPHRASE,
    PIN,
    RECOVERY,
    WEAK,
    WRONG_PIN,
    SetClock,
    identity,
    make_with_all,
)
from tests.unit.client.dying import cut_everywhere

HOUR_MS = 3_600_000
TRY_WRONG = 'Vault.unlock(directory, Pin("280418", b"of this handheld"))'
TRY_RIGHT = 'Vault.unlock(directory, Pin("280417", b"of this handheld"))'


@pytest.fixture
def store(tmp_path: Path) -> Path:
    make_with_all(tmp_path / "store")
    return tmp_path / "store"


def counted(store: Path) -> int | None:
    """Return how many attempts the file says were begun; None without a PIN."""
    slot = keyfile.decode_file((store / KEYS_FILE).read_bytes()).slot(SlotKind.PIN)
    return slot.attempts if slot else None


def set_count(store: Path, attempts: int) -> None:
    path = store / KEYS_FILE
    file = keyfile.decode_file(path.read_bytes())
    slot = file.slot(SlotKind.PIN)
    assert slot is not None
    again = keyfile.Slot(slot.kind, slot.header, slot.wrapped, attempts, 0)
    path.write_bytes(keyfile.encode_file(file.with_slot(again)))


def fail_at(store: Path, now_ms: int) -> GridlogError:
    with pytest.raises(GridlogError) as refused:
        Vault.unlock(store, WRONG_PIN, clock=SetClock(now_ms))
    return refused.value


def test_the_pauses_grow_and_are_told_and_ten_wrong_pins_destroy_the_pin_alone(store: Path) -> None:
    now_ms, pauses = NOW_MS, []
    for attempt in range(1, ATTEMPTS_MAX):
        refused = fail_at(store, now_ms)
        assert isinstance(refused, WrongPinError)
        assert refused.left == ATTEMPTS_MAX - attempt
        pauses.append(refused.wait_s)
        if refused.wait_s:
            assert str(refused.wait_s) in refused.text.zh
            assert str(refused.wait_s) in refused.text.en
            early = fail_at(store, now_ms + refused.wait_s * 1000 - 1)
            assert isinstance(early, PinWaitError)
            assert early.wait_s == 1
            assert counted(store) == attempt
        now_ms += refused.wait_s * 1000
    assert pauses == [0, 0, 30, 60, 300, 900, 1800, 3600, 3600]

    assert isinstance(fail_at(store, now_ms), PinDestroyedError)
    with pytest.raises(NoPinError):
        Vault.unlock(store, PIN, clock=SetClock(now_ms + HOUR_MS))
    assert len({identity(store, each) for each in (PASSPHRASE, BADGE, RECOVERY)}) == 1


def test_the_right_pin_begins_a_new_count(store: Path) -> None:
    for _ in range(3):
        for _ in range(2):
            assert isinstance(fail_at(store, NOW_MS), WrongPinError)
        identity(store, PIN)
        assert counted(store) == 0


def test_the_right_pin_too_must_wait(store: Path) -> None:
    for _ in range(3):
        fail_at(store, NOW_MS)
    with pytest.raises(PinWaitError) as refused:
        Vault.unlock(store, PIN, clock=SetClock(NOW_MS + 10_500))
    assert refused.value.wait_s == 20
    assert identity(store, PIN, NOW_MS + 30_000)


def test_a_new_pin_after_a_destroyed_one_has_ten_attempts_again(store: Path) -> None:
    set_count(store, ATTEMPTS_MAX)
    assert isinstance(fail_at(store, NOW_MS), PinDestroyedError)
    with Vault.unlock(store, PASSPHRASE) as vault:
        vault.set_pin(PIN, current=PASSPHRASE, profile=WEAK)
    refused = fail_at(store, NOW_MS)
    assert isinstance(refused, WrongPinError)
    assert refused.left == ATTEMPTS_MAX - 1


def test_a_clock_that_was_set_back_begins_the_pause_anew_and_ends_it(store: Path) -> None:
    for _ in range(4):
        set_count(store, 4)
        fail_at(store, NOW_MS)
    back_ms = NOW_MS - 1000 * HOUR_MS
    refused = fail_at(store, back_ms)
    assert isinstance(refused, PinWaitError)
    assert refused.wait_s == delay_s(5) == 300
    early = fail_at(store, back_ms + 299_000)
    assert isinstance(early, PinWaitError)
    assert early.wait_s == 1
    assert identity(store, PIN, back_ms + 300_000)


def test_a_clock_set_ahead_shortens_pauses_and_gives_no_attempt_more(store: Path) -> None:
    tried = [fail_at(store, NOW_MS + each * 24 * HOUR_MS) for each in range(ATTEMPTS_MAX)]
    assert [type(each) for each in tried] == [WrongPinError] * 9 + [PinDestroyedError]


def test_a_clock_before_1970_is_no_way_around(store: Path) -> None:
    for _ in range(3):
        fail_at(store, -5)
    assert isinstance(fail_at(store, -5), PinWaitError)


def test_an_attempt_is_counted_on_the_disk_before_the_pin_is_tried(store: Path, tmp_path: Path) -> None:
    left = cut_everywhere(store, f"try:\n    {TRY_WRONG}\nexcept GridlogError:\n    pass", tmp_path / "cut")
    counts = [counted(each) for each in left]
    # It is counted at one moment, and from then on for good.
    assert counts == [0] * counts.count(0) + [1] * counts.count(1)
    assert {counts[0], counts[-1]} == {0, 1}
    for each in left:
        assert len({identity(each, credential) for credential in ALL}) == 1


def test_a_process_that_is_killed_while_it_derives_has_spent_an_attempt(store: Path, tmp_path: Path) -> None:
    killed = "from gridlog import unlocking\nunlocking.unwrap_master_key = lambda *a, **k: os._exit(0)\n" + TRY_WRONG
    survivors = cut_everywhere(store, killed, tmp_path / "cut")
    assert counted(survivors[-1]) == 1


def test_no_kill_at_the_tenth_attempt_gives_an_eleventh(store: Path, tmp_path: Path) -> None:
    set_count(store, ATTEMPTS_MAX - 1)
    left = cut_everywhere(store, f"try:\n    {TRY_WRONG}\nexcept GridlogError:\n    pass", tmp_path / "cut")
    counts = [counted(each) for each in left]
    assert set(counts) == {ATTEMPTS_MAX - 1, ATTEMPTS_MAX, None}
    for each, count in zip(left, counts, strict=True):
        if count == ATTEMPTS_MAX:
            with pytest.raises(PinDestroyedError):
                Vault.unlock(each, PIN, clock=SetClock())
            with pytest.raises(NoPinError):
                Vault.unlock(each, PIN, clock=SetClock())
        assert len({identity(each, one) for one in (PASSPHRASE, BADGE, RECOVERY)}) == 1


def test_a_kill_while_the_right_pin_opens_costs_one_attempt_at_most(store: Path, tmp_path: Path) -> None:
    for each in cut_everywhere(store, TRY_RIGHT + ".close()", tmp_path / "cut"):
        assert counted(each) in (0, 1)
        assert len({identity(each, credential) for credential in ALL}) == 1


def test_a_disk_that_cannot_count_lets_nobody_try_and_the_passphrase_still_opens(store: Path) -> None:
    (store / f"{KEYS_FILE}.new").mkdir()
    for _ in range(ATTEMPTS_MAX + 1):
        with pytest.raises(DiskFailedError):
            Vault.unlock(store, PIN)
    assert identity(store, PASSPHRASE)


@pytest.mark.parametrize("credential", [PASSPHRASE, BADGE, RECOVERY])
def test_nothing_but_a_pin_is_counted(store: Path, credential: object) -> None:
    before = (store / KEYS_FILE).read_bytes()
    opening: Callable[..., Vault] = Vault.unlock
    opening(store, credential).close()
    assert (store / KEYS_FILE).read_bytes() == before
