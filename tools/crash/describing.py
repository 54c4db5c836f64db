"""Describe a store as an `Account`: one that a process has open, or whatever a power cut left in a directory.

What was left is opened by the production code, and nothing that it says is taken on trust twice: every entry is
compared by its digest, every record as the screen shows it, every credential is tried.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from gridlog.credentials import Credential, Pin
from gridlog.device_clock import DeviceClock
from gridlog.entries import Reincarnated, pack_fact, pack_written
from gridlog.errors import GridlogError, StoreMissingError, StoreWipedError, WrongPassphraseError
from gridlog.frames import FrameType
from gridlog.image import fact_rows
from gridlog.journal import Journal
from gridlog.kdf import KdfProfile
from gridlog.keydisk import KEYS_FILE, read_file
from gridlog.keyfile import KeyFile, SlotKind
from gridlog.memory import Memory
from gridlog.reading import open_files, read_store
from gridlog.showing import record_of
from gridlog.store import FieldStore
from gridlog.vault import Vault, wipe
from gridlog.vault_errors import NoPinError, PinDestroyedError, WrongBadgeError, WrongPinError, WrongRecoveryKeyError
from gridlog.verifying import verify
from gridlog_protocol.canonical import pack
from gridlog_protocol.clock import BOOT_ID_BYTES, ClockFacts, Hlc
from tools.crash.account import Account, Stand

WEAK = KdfProfile.WEAK_FOR_TESTS
BEGUN_MS = 1_795_000_000_000
_LONG_AFTER_MS = BEGUN_MS + 30 * 86_400_000
_DIGEST_BYTES = 8
_REFUSALS = (
    WrongPassphraseError,
    WrongPinError,
    NoPinError,
    PinDestroyedError,
    WrongBadgeError,
    WrongRecoveryKeyError,
)
_BOOT = bytes(BOOT_ID_BYTES)


class SteppingClock(DeviceClock):
    """A clock that goes on by a second whenever somebody looks: the same in each run."""

    def __init__(self, now_ms: int = BEGUN_MS) -> None:
        super().__init__()
        self.now_ms = now_ms

    def wall_ms(self) -> int:
        """Return what it says, Unix milliseconds."""
        self.now_ms += 1000
        return self.now_ms

    def facts(self, hlc: Hlc, *, server_ms: int) -> ClockFacts:
        """See DeviceClock."""
        return ClockFacts(hlc, self.wall_ms(), _BOOT, self.now_ms - BEGUN_MS, server_ms)


def account_of(vault: Vault, memory: Memory, *, opens: Iterable[str], attempts: int) -> Account:
    """Describe a store that is open."""
    records = sorted({written.op.record for written in memory.pending.values()})
    shown = [pack([each, dict(record_of(memory, each).values)]) for each in records]
    keys = (vault.store_id, vault.device_id, vault.signing_key.private_bytes_raw())
    # The head has the time of the last contact, which is not worth an entry each time.
    facts = [*fact_rows(memory)][1:] + [[*row] for row in memory.projection.rows()]
    return Account(
        Stand.OPEN,
        tuple(_digest(pack(each)) for each in facts),
        tuple(_digest(pack_written(written)) for written in memory.pending.values()),
        _digest(b"".join(shown)),
        frozenset(opens),
        attempts,
        vault.incarnation.hex(),
        _digest(b"".join(keys)),
    )


def account_at(directory: Path, credentials: Mapping[str, Credential], *, is_used: bool = False) -> Account | str:
    """Describe what is in a directory, or say in a sentence what is wrong with it. It changes what it looks at.

    `credentials` are tried by name, the passphrase that `make` was given first. `is_used` also writes to the store.
    """
    try:
        return _account_at(directory, credentials, is_used=is_used)
    except _UnsoundError as unsound:
        return str(unsound)
    except Exception as unforeseen:  # noqa: BLE001 - whatever a damaged disk makes the store raise is the finding.
        return f"{type(unforeseen).__name__}: {unforeseen}"


class _UnsoundError(Exception):
    """What is left is not a store that anybody promised."""


def _account_at(directory: Path, credentials: Mapping[str, Credential], *, is_used: bool) -> Account:
    passphrase = next(each for each in credentials.values() if isinstance(each, str))
    try:
        file = read_file(directory)
        opening = _opening(directory, credentials)
        if not opening:
            raise _UnsoundError("nothing opens it")
        found = _opened_by(directory, opening, file)
    except StoreMissingError:
        _finish(directory, passphrase)
        return Account(Stand.MISSING)
    except StoreWipedError:
        _wipe_again(directory)
        _finish(directory, passphrase)
        return Account(Stand.WIPED)
    if is_used:
        _use(directory, next(iter(opening.values())))
    return found


def _opened_by(directory: Path, opening: Mapping[str, Credential], file: KeyFile) -> Account:
    pin = file.slot(SlotKind.PIN)
    credential = next(iter(opening.values()))
    files = open_files(directory, credential, SteppingClock(_LONG_AFTER_MS))
    memory = read_store(files).memory
    try:
        if files.snapshot is not None:
            found = verify(directory, files.vault, files.journal, memory)
            if not found.is_sound:
                raise _UnsoundError(" ".join(each.text.en for each in found.findings))
        return account_of(files.vault, memory, opens=opening, attempts=pin.attempts if pin else 0)
    finally:
        files.journal.close()
        memory.projection.close()
        files.vault.close()


def _opening(directory: Path, credentials: Mapping[str, Credential]) -> dict[str, Credential]:
    """Return those that open the keys. What a PIN's attempt writes is taken back."""
    opening = {}
    keys = directory / KEYS_FILE
    before = keys.read_bytes()
    for name, credential in credentials.items():
        try:
            Vault.unlock(directory, credential, clock=SteppingClock(_LONG_AFTER_MS)).close()
        except _REFUSALS:
            pass
        else:
            opening[name] = credential
        if isinstance(credential, Pin):
            keys.write_bytes(before)
    return opening


def _finish(directory: Path, passphrase: str) -> None:
    """Make the store that is not there, and see that it is there."""

    async def make() -> None:
        store = await FieldStore.make(directory, passphrase, profile=WEAK)
        await store.close()
        store = await FieldStore.open(directory, passphrase)
        await store.close()

    try:
        asyncio.run(make())
    except GridlogError as refused:
        raise _UnsoundError(f"there is no store, and none can be made: {type(refused).__name__}") from None


def _wipe_again(directory: Path) -> None:
    wipe(directory)
    left = {path.name for path in directory.iterdir()} - {KEYS_FILE, "lock"}
    if left:
        raise _UnsoundError(f"it is wiped twice, and still there are {', '.join(sorted(left))}")


def _use(directory: Path, credential: Credential) -> None:
    """Write one more entry, and see that it stays."""
    lasts: list[int] = []
    for _ in range(2):
        with (
            Vault.unlock(directory, credential, clock=SteppingClock(_LONG_AFTER_MS)) as vault,
            Journal.open(directory, vault) as journal,
        ):
            lasts.append(journal.last_seq)
            if len(lasts) == 1:
                journal.append([(FrameType.FACT, pack_fact(Reincarnated(vault.incarnation)))])
    if lasts[1] != lasts[0] + 1:
        raise _UnsoundError(f"opened again its last entry is {lasts[1]} instead of {lasts[0] + 1}")


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).hexdigest()
