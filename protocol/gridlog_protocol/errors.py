"""The catalogue of refusals: code, meaning, what the device does, what the worker reads.

Two lists. A *refusal* answers a whole request, and nothing of it was stored. A *hold* answers one op: it is stored,
shown to its author and to the supervisor, and never blocks the ops behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from .texts import Text


class Recovery(StrEnum):
    """What a device does after a refusal. None of them drops anything that a worker wrote."""

    RETRY = "try again later, with growing pauses"
    ENROL = "keep everything, ask for a new enrolment code"
    UPDATE = "keep everything, ask for a newer app"
    REPAIR = "draw a new incarnation, sign the pending ops again, try again"
    SMALLER = "halve the batch, try again"
    REPORT = "keep everything, show the code to the worker and stop trying until asked"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason to turn a request away, with its HTTP status."""

    code: str
    status: int
    meaning: str
    recovery: Recovery
    worker_reads: Text


@dataclass(frozen=True, slots=True)
class Hold:
    """One reason to keep an op apart until a supervisor looks at it."""

    code: str
    meaning: str
    worker_reads: Text


class ProtocolError(Exception):
    """The peer broke the protocol, or may not do what it asked. `code` is in the catalogue below."""

    def __init__(self, code: str, *, detail: str = "") -> None:
        self.refusal = REFUSALS[code]
        self.code = code
        self.detail = detail
        super().__init__(f"{code}: {detail or self.refusal.meaning}")


_SAFE_ZH = "您写的内容都在本机，没有丢失。"
_SAFE_EN = "Everything you wrote is safe on this phone. "


def _refusal(code: str, status: int, meaning: str, recovery: Recovery, *says: str) -> Refusal:
    zh, en = says
    return Refusal(code, status, meaning, recovery, Text(_SAFE_ZH + zh, _SAFE_EN + en))


_REFUSALS = (
    _refusal(
        "malformed",
        400,
        "The envelope or the message inside does not have the layout of its version.",
        Recovery.REPORT,
        "服务器看不懂这台手机发送的数据，请把代码告诉管理员。",
        "The server cannot read what this phone sent. Tell your administrator this code.",
    ),
    _refusal(
        "unsupported_version",
        400,
        "The envelope's version or suite is not spoken here; `detail` lists those that are.",
        Recovery.UPDATE,
        "本机的程序版本与服务器不一致，请联系管理员更新。",
        "This app and the server do not speak the same version. Ask for an update.",
    ),
    _refusal(
        "unknown_key",
        400,
        "The message is sealed to a key that this server does not hold (any more).",
        Recovery.ENROL,
        "服务器的密钥已更换，请联系管理员重新登记。",
        "The server's keys have changed. Ask your administrator to enrol this phone again.",
    ),
    _refusal(
        "unknown_device",
        403,
        "No device has this handle.",
        Recovery.ENROL,
        "服务器不认识这台手机，请联系管理员重新登记。",
        "The server does not know this phone. Ask your administrator to enrol it again.",
    ),
    _refusal(
        "bad_signature",
        403,
        "The signature of the message or of a segment is not by the device it names.",
        Recovery.REPORT,
        "签名核验未通过，请把代码告诉管理员。",
        "A signature did not verify. Tell your administrator this code.",
    ),
    _refusal(
        "revoked",
        403,
        "The device or its holder may not synchronise.",
        Recovery.REPORT,
        "这台手机或账号已停用，请联系管理员。",
        "This phone or account has been suspended. Talk to your administrator.",
    ),
    _refusal(
        "unknown_cursor",
        409,
        "The server's log has another entry, or none, at the cursor's position: its database is another one now.",
        Recovery.REPORT,
        "服务器的数据已经更换，请联系管理员。",
        "The server's database is not the one this phone knows. Talk to your administrator.",
    ),
    _refusal(
        "broken_chain",
        409,
        "A segment's ops do not continue the chain of ops that the server holds.",
        Recovery.REPAIR,
        "本机记录的顺序与服务器不符，正在重新整理后再发送。",
        "The order of records on this phone differs from the server's. They are signed again and resent.",
    ),
    _refusal(
        "fork",
        409,
        "Another op with the same id is already stored: a cloned or restored copy wrote it. "
        "The administrator is alarmed; this branch is kept in quarantine.",
        Recovery.REPAIR,
        "发现另一台设备用了相同的编号，正在换号后重新发送，管理员会收到提醒。",
        "Another device used the same numbers. Your records are renumbered and resent.",
    ),
    _refusal(
        "code_invalid",
        403,
        "The enrolment code is unknown, used, or expired. The three look alike on purpose.",
        Recovery.ENROL,
        "登记码无效、已使用或已过期，请向管理员要一个新的。",
        "This enrolment code is wrong, used or expired. Ask your administrator for a new one.",
    ),
    _refusal(
        "too_large",
        413,
        "The message is above the limit, before or after decompression.",
        Recovery.SMALLER,
        "一次发送的内容太多，会自动分批再发。",
        "Too much was sent at once. It will be sent in smaller parts.",
    ),
    _refusal(
        "unsupported_media_type",
        415,
        "Wrong content type, or a content encoding, which this protocol never uses.",
        Recovery.REPORT,
        "网络中途改动了数据，请换一个网络再试。",
        "Something between this phone and the server changed the data. Try another network.",
    ),
    _refusal(
        "too_many_requests",
        429,
        "Too many requests from this address or device; `Retry-After` says how long to wait.",
        Recovery.RETRY,
        "服务器正忙，稍后会自动重试。",
        "The server is busy. It will be tried again.",
    ),
    _refusal(
        "unavailable",
        503,
        "The server cannot store anything now (starting, stopping, disk full).",
        Recovery.RETRY,
        "服务器暂时不能接收，稍后会自动重试。",
        "The server cannot accept anything right now. It will be tried again.",
    ),
)

_HOLDS = (
    Hold(
        "out_of_scope",
        "The author has no authority over the record's grid.",
        Text(
            "这条记录不在您负责的网格内，已交督导核对。",
            "This record is outside your grids. A supervisor will look.",
        ),
    ),
    Hold(
        "foreign_author",
        "The op's author is not the person that its device is enrolled for.",
        Text(
            "登记人与这台手机的使用人不符，已交督导核对。",
            "The author is not this phone's holder. A supervisor will look.",
        ),
    ),
    Hold(
        "record_full",
        "The record would grow beyond what fits into one answer.",
        Text(
            "这条记录的内容太多，请另建一条；这次的修改已保留。",
            "This record is full. Start another; the change is kept.",
        ),
    ),
    Hold(
        "unknown_kind",
        "The server does not know this kind of record.",
        Text(
            "服务器还没有这种表单，已保留待核对。",
            "The server does not know this form yet. It is kept for review.",
        ),
    ),
    Hold(
        "unknown_record",
        "The op edits a record that the server does not hold.",
        Text(
            "找不到要修改的记录，已保留待核对。",
            "The record to change was not found. The change is kept.",
        ),
    ),
    Hold(
        "depends_on_held",
        "The record's creation is itself held.",
        Text(
            "这条记录的登记还在核对中，修改一并保留。",
            "The record itself is under review; this change waits with it.",
        ),
    ),
    Hold(
        "record_exists",
        "Another op already created a record with this id.",
        Text(
            "这条记录的编号已被使用，已保留待核对。",
            "This record's number is already taken. It is kept for review.",
        ),
    ),
    Hold(
        "invalid_value",
        "A value breaks a rule of its field.",
        Text(
            "有一项内容不符合填写要求，已交督导核对。",
            "One value breaks a rule of its field. A supervisor will look.",
        ),
    ),
    Hold(
        "not_committed",
        "A personal or sensitive value was signed in the open, or a public one was hidden.",
        Text(
            "个人信息的保护方式不符，已保留待核对。",
            "Personal data was not protected as required. It is kept.",
        ),
    ),
    Hold(
        "immutable",
        "The field is set once, at creation, and its author had seen that value.",
        Text(
            "这一项登记后不能修改，已交督导核对。",
            "This field cannot change once written. A supervisor will look.",
        ),
    ),
    Hold(
        "not_a_draft",
        "The op withdraws a record, or puts it back, that is not its author's own draft.",
        Text(
            "只能作废自己的草稿，已交督导决定。",
            "You may withdraw your own drafts only. A supervisor will decide.",
        ),
    ),
    Hold(
        "review_step",
        "A handheld takes a step of the review that only the office takes: checked, approved, archived.",
        Text(
            "审核由督导进行，已交督导核对。",
            "Approving is up to a supervisor, who will look.",
        ),
    ),
    Hold(
        "server_decides",
        "Only the server may write this field.",
        Text(
            "这一项由后台填写，您的修改已保留。",
            "This field is filled in by the office. Your change is kept.",
        ),
    ),
    Hold(
        "proposal",
        "The op proposes values for fields that the server decides; it waits for somebody there to accept them.",
        Text(
            "已作为建议提交，等待后台采纳。",
            "This is a proposal. It waits for the office to accept it.",
        ),
    ),
    Hold(
        "after_gap",
        "Earlier ops of the device never came; somebody closed the gap, and what lies in or behind it needs a look.",
        Text(
            "这之前的一些修改没有送到，已交督导核对。",
            "Some changes before this one never arrived. A supervisor will look.",
        ),
    ),
    Hold(
        "salvaged",
        "After a restore of the server, a colleague's device offered what it still had of an op that is lost.",
        Text(
            "服务器恢复后由同事的手机补回，已交督导核对。",
            "A colleague's phone still had it after the server was restored. A supervisor will look.",
        ),
    ),
    Hold(
        "quarantined",
        "It came from a device that was lost, wiped or revoked by then; somebody took it out of quarantine.",
        Text(
            "由已挂失或作废的手机发来，已交督导核对。",
            "It came from a phone that was lost or revoked by then. A supervisor will look.",
        ),
    ),
)

_STANDINGS = {
    "suspended": (
        "管理员暂停了这台手机，恢复后再同步即可。",
        "Your administrator has suspended this phone. Synchronise again when it may go on.",
    ),
    "person": ("您的账号已停用，请联系管理员。", "Your account has been suspended. Talk to your administrator."),
    "lost": (
        "这台手机已挂失。如果找到了，请交给管理员解除挂失。",
        "This phone was reported lost. If it was found, take it to your administrator.",
    ),
    "wiped": (
        "服务器已收到这台手机的清除确认，请用新的登记码重新登记。",
        "The server has this phone's word that it was wiped. Enrol it again with a new code.",
    ),
}

REFUSALS: Mapping[str, Refusal] = MappingProxyType({each.code: each for each in _REFUSALS})
HOLDS: Mapping[str, Hold] = MappingProxyType({each.code: each for each in _HOLDS})

STANDINGS: Mapping[str, Text] = MappingProxyType(
    {name: Text(_SAFE_ZH + zh, _SAFE_EN + en) for name, (zh, en) in _STANDINGS.items()}
)
"""What the detail of the refusal `revoked` may be, and what the worker reads then. A revoked device's is empty."""
