"""What can go wrong with the store on the handheld, each with a sentence for the worker.

The docstring of an error is its help text: what happened and what to do next. `text` is the short sentence that the
screen shows. Errors carry facts (which file, which entry), never keys and never what the worker wrote.
"""

from __future__ import annotations

import json
import re
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from gridlog_protocol.errors import REFUSALS, STANDINGS, Recovery
from gridlog_protocol.texts import Text
from gridlog_sync.pacing import Broken

if TYPE_CHECKING:
    from .parting import Parting

_SECONDS = re.compile(r"[0-9]{1,9}")


class StorePart(Enum):
    """A part of the store, as the worker is told of it."""

    KEYS = Text("密钥文件", "key file")
    JOURNAL = Text("日志", "journal")
    SNAPSHOT = Text("快照", "snapshot")
    MEMORY = Text("内存", "memory")


class GridlogError(Exception):
    """Something that the worker or the administrator must know about; see `text`."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


class WrongPassphraseError(GridlogError):
    """The passphrase does not open this store. Check the keyboard language and capital letters, then try again."""

    def __init__(self) -> None:
        super().__init__(Text("口令不对，请再试一次。", "The passphrase is wrong. Please try again."))


class WeakPassphraseError(GridlogError):
    """The passphrase is too short to protect the records if the device is stolen. Choose a longer one."""

    def __init__(self, characters_min: int) -> None:
        text = Text(
            "口令太短：至少需要 {characters} 个字符。",
            "The passphrase is too short: it needs at least {characters} characters.",
        )
        super().__init__(text.filled(characters=characters_min))
        self.characters_min = characters_min


class StoreMissingError(GridlogError):
    """There is no complete store in this directory. Check the path, or make a store there first."""

    def __init__(self, directory: Path) -> None:
        text = Text("这里还没有数据：{directory}。", "There is no store in {directory}.")
        super().__init__(text.filled(directory=directory))
        self.directory = directory


class StoreWipedError(GridlogError):
    """This store was wiped: its keys are destroyed, and nobody can read what was in it. Make a new one and enrol."""

    def __init__(self, directory: Path) -> None:
        text = Text(
            "这里的数据已被清除，无法恢复：{directory}。请重新登记。",
            "The store in {directory} was wiped and cannot be recovered. Enrol this device again.",
        )
        super().__init__(text.filled(directory=directory))
        self.directory = directory


class WipedByOrderError(StoreWipedError):
    """Whoever runs the server ordered this store to be wiped, and it is: nobody can read what was in it.

    What had not been sent was sealed for the server first, and goes to it with the word that the wipe is done. Make a
    new store in the same directory, and enrol it with a new code. `unsaved` is what the disk could not keep of that.
    """

    def __init__(self, directory: Path, unsaved: Parting | None = None) -> None:
        super().__init__(directory)
        self.unsaved = unsaved
        self.text = Text(
            "管理员已远程清除这台手机上的数据。没有发出的内容已密封，会交给服务器。可用新的登记码重新登记。",
            "Your administrator has wiped this phone from afar. What was not sent is sealed, and goes to the server."
            " Enrol it again with a new code.",
        )
        self.args = (self.text.en,)


class LockedError(GridlogError):
    """The store is locked: its keys and everything it showed are gone from memory. Unlock it, then go on."""

    def __init__(self) -> None:
        super().__init__(Text("已锁定，请先解锁。", "The store is locked. Unlock it first."))


class StoreExistsError(GridlogError):
    """This directory already has a store, and a store is never overwritten. Open it, or choose another directory."""

    def __init__(self, directory: Path) -> None:
        text = Text(
            "这里已经有数据，不会覆盖：{directory}。",
            "{directory} already has a store; it was left as it is.",
        )
        super().__init__(text.filled(directory=directory))
        self.directory = directory


class StoreInUseError(GridlogError):
    """Another program has this store open, and two writers would harm it. Close the other one, then try again."""

    def __init__(self, directory: Path) -> None:
        text = Text(
            "数据正被另一个程序使用，请先关闭它：{directory}。",
            "Another program is using the store in {directory}. Close it first.",
        )
        super().__init__(text.filled(directory=directory))
        self.directory = directory


class StoreDamagedError(GridlogError):
    """A file of the store is not what this device wrote: it was damaged or changed.

    Nothing was altered or repaired. Keep the device as it is and take it to the administrator; what was already sent
    is safe on the server.
    """

    def __init__(self, where: StorePart, position: int | None = None) -> None:
        if position is None:
            text = Text("本机的{zh}已损坏，请联系管理员。", "The {en} is damaged. Please ask your administrator.")
        else:
            text = Text(
                "本机的{zh}从第 {position} 条起已损坏，请联系管理员。",
                "The {en} is damaged from entry {position} on. Please ask your administrator.",
            )
        super().__init__(text.filled(zh=where.value.zh, en=where.value.en, position=position))
        self.where = where
        self.position = position


class StoreTooNewError(GridlogError):
    """A newer version of the program wrote this store. Update the program; the records are untouched."""

    def __init__(self, where: StorePart) -> None:
        text = Text(
            "本机的{zh}由更新的版本写成，请先升级程序。",
            "The {en} was made by a newer version. Please update the program.",
        )
        super().__init__(text.filled(zh=where.value.zh, en=where.value.en))
        self.where = where


class DiskFullError(GridlogError):
    """The storage is full, so the last entry was not saved. Free some space, then save it again."""

    def __init__(self) -> None:
        super().__init__(
            Text(
                "存储空间已满，刚才的内容没有保存。请清理空间后重新保存。",
                "The storage is full; the last entry was not saved. Free some space and save again.",
            )
        )


class DiskFailedError(GridlogError):
    """The storage reported a fault, so the last entry may not be saved. Open the store again and look for it."""

    def __init__(self) -> None:
        super().__init__(
            Text(
                "存储出现故障，刚才的内容可能没有保存。请重新打开后检查。",
                "The storage failed; the last entry may not be saved. Open the store again and check.",
            )
        )


class NotEnrolledError(GridlogError):
    """This store does not know its server yet. Ask the administrator for an enrolment code and enrol first."""

    def __init__(self) -> None:
        super().__init__(
            Text(
                "这台手机还没有登记，请先输入登记码。",
                "This phone is not enrolled yet. Enter an enrolment code first.",
            )
        )


class AlreadyEnrolledError(GridlogError):
    """This store is enrolled already, and a store belongs to one server. Make another store for another server."""

    def __init__(self) -> None:
        super().__init__(Text("这台手机已经登记过了。", "This phone is enrolled already."))


class ForeignServerError(GridlogError):
    """The server that answers is not the one that made the enrolment code, or somebody stands between.

    Nothing was sent to it. Check the network, and ask the administrator for a new code.
    """

    def __init__(self) -> None:
        super().__init__(
            Text(
                "应答的不是发放登记码的服务器，请换一个网络，或联系管理员。",
                "The server that answers is not the one the code is for. Try another network, or ask for a new code.",
            )
        )


class UnknownKindError(GridlogError):
    """There is no such kind of record in this version of the app."""

    def __init__(self, kind: str) -> None:
        text = Text("没有“{kind}”这种记录。", 'There is no kind of record called "{kind}".')
        super().__init__(text.filled(kind=kind))
        self.kind = kind


class UnknownRecordError(GridlogError):
    """This phone does not hold the record: it was never here, or it has left the grids of this phone."""

    def __init__(self) -> None:
        super().__init__(Text("本机没有这条记录。", "This phone does not hold the record."))


class UnknownDraftError(GridlogError):
    """There is no draft with this id on this phone: it was finished, discarded, or never begun here."""

    def __init__(self) -> None:
        super().__init__(Text("本机没有这份草稿。", "This phone does not hold the draft."))


class DraftTooLargeError(GridlogError):
    """A draft holds no more than one entry may. This save was not kept; what was saved before it was.

    Shorten the field that was filled in last, or finish this draft and write the rest in a second step.
    """

    def __init__(self, bytes_max: int) -> None:
        text = Text(
            "草稿内容太多（最多 {kib} KB），刚才这一项没有保存，之前的都在。",
            "The draft is too large (at most {kib} KiB). This change was not saved; everything before it was.",
        )
        super().__init__(text.filled(kib=bytes_max >> 10))
        self.bytes_max = bytes_max


class NothingToUndoError(GridlogError):
    """This device has decided nothing about the record that can be put back, or it has been changed since.

    A decision about a withdrawal is taken back by withdrawing, or restoring, again.
    """

    def __init__(self) -> None:
        super().__init__(
            Text(
                "没有可以撤销的决定：本机没有作过，之后又有人修改，或它是作废与恢复（请重新作废或恢复）。",
                "There is no decision to undo: none was made here, somebody has changed it since, or it is about a"
                " withdrawal (withdraw or restore again).",
            )
        )


class UnreachableError(GridlogError):
    """The server could not be reached. Everything is saved on the phone; it goes out with the next connection.

    `how` tells how far the exchange had come.
    """

    def __init__(self, reason: str, how: Broken = Broken.BEFORE) -> None:
        super().__init__(
            Text(
                "连不上服务器。内容都已存在本机，有信号后会再发送。",
                "The server cannot be reached. Everything is saved here and goes out with the next connection.",
            )
        )
        self.reason = reason
        self.how = how


class RefusedError(GridlogError):
    """The server turned the request away; `code` says why, and `text` what it means for the worker.

    `retry_after_s` is the pause that a busy server asks for, in seconds, or None.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        refusal = REFUSALS.get(code) or REFUSALS["malformed"]
        super().__init__(refusal.worker_reads)
        self.code = code
        self.detail = detail
        self.recovery = refusal.recovery
        self.retry_after_s: float | None = None

    @property
    def forked_seq(self) -> int | None:
        """Where a fork begins: the first op of ours that differs from the one which the server holds."""
        _, _, number = self.detail.partition("seq ")
        return int(number) if self.code == "fork" and number.isdigit() else None

    @staticmethod
    def from_problem(content: bytes, *, retry_after: str | None = None) -> RefusedError | None:
        """Read a refusal that came in the clear (RFC 9457), or return None: a gateway has problems of its own.

        Nobody signed it, so it is advice, never an order.

        `retry_after` is the header of that name; only its form in seconds is understood, as our server sends it.
        """
        try:
            problem = json.loads(content)
            refused = RefusedError(str(problem["code"]), str(problem.get("detail", "")))
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        if refused.code not in REFUSALS:
            return None
        if refused.recovery is Recovery.REPAIR:
            # Whoever stands between could have ops renamed that the server has already: they would count twice.
            refused.recovery = Recovery.REPORT
        if refused.recovery is Recovery.RETRY and retry_after is not None and _SECONDS.fullmatch(retry_after):
            refused.retry_after_s = float(retry_after)
        return refused


class SuspendedError(RefusedError):
    """This device, or its holder, may not synchronise. Everything stays on it, and goes out when it may again.

    `standing` says why: `suspended`, `person` (the holder's account), `lost`, `wiped`; empty for a device that was
    revoked for ever.
    """

    def __init__(self, standing: str) -> None:
        super().__init__("revoked", standing)
        self.text = STANDINGS.get(standing, self.text)
        self.args = (self.text.en,)
        self.standing = standing


class OrderRefusedError(RefusedError):
    """The server sent an order to wipe that is not for this store, or older than one it has: nothing was deleted.

    `why` is `foreign` or `old`. The server hears of it with the next exchange.
    """

    def __init__(self, why: str) -> None:
        super().__init__("malformed", f"an order that is {why}")
        self.text = Text(
            "收到一条不是给这台手机的清除指令，已拒绝，数据没有改动。请告诉管理员。",
            "An order to wipe came that is not for this phone as it is. It was refused, and nothing was deleted. Tell"
            " your administrator.",
        )
        self.args = (self.text.en,)
        self.why = why


def refused(code: str, detail: str) -> RefusedError:
    """Return the error for a refusal that the server signed."""
    return SuspendedError(detail) if code == "revoked" else RefusedError(code, detail)
