"""Commands about what opens the store: try it, set a PIN, change the passphrase, wipe everything."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gridlog_protocol.texts import Text

from .cli_options import DEFAULT_STORE, Store, Weak
from .cli_store import (
    asked,
    carried_out,
    device_secret,
    fail,
    in_store,
    in_store_of,
    new_passphrase,
    new_secret,
    out,
    say,
    warn,
)
from .credentials import Credential, Pin, Recovery
from .store import FieldStore
from .vault import KdfProfile, SlotKind

keeping_shut = typer.Typer()

_NAMES = {
    SlotKind.PASSPHRASE: Text("口令", "passphrase"),
    SlotKind.PIN: Text("PIN", "PIN"),
    SlotKind.BADGE: Text("工牌", "badge"),
    SlotKind.RECOVERY: Text("单位的恢复密钥", "the organisation's recovery key"),
}


@keeping_shut.command(help=say("试一试能否打开，并列出能打开的方式。", "See that it opens, and what else opens it."))
def unlock(store: Store = DEFAULT_STORE) -> None:
    """Open."""

    async def work(opened: FieldStore) -> tuple[frozenset[SlotKind], bool]:
        return opened.slots, opened.has_plain_pin

    slots, has_plain_pin = in_store(store, work)
    names = [say(_NAMES[each].zh, _NAMES[each].en) for each in sorted(slots)]
    out.print(say("已打开。可以用：", "It opens. What opens it: ") + say("、", ", ").join(names) + say("。", "."))
    if has_plain_pin:
        warn(_PLAIN)


@keeping_shut.command(help=say("设置、更换或取消 PIN。", "Set, change or remove the PIN."))
def pin(
    store: Store = DEFAULT_STORE,
    remove: Annotated[bool, typer.Option("--remove", help=say("取消 PIN。", "Remove the PIN."))] = False,  # noqa: FBT002
    plain: Annotated[  # noqa: FBT002
        bool, typer.Option("--plain", help=say("没有本机密钥也允许。", "Allow it without a device secret."))
    ] = False,
    weak: Weak = False,  # noqa: FBT002
) -> None:
    """Set the PIN."""

    def ask() -> Callable[[FieldStore, Credential], Awaitable[bool]]:
        question = say("新 PIN（至少 6 位数字）", "New PIN (at least 6 digits)")
        new = None if remove else Pin(new_secret("GRIDLOG_NEW_PIN", question), device_secret())

        async def work(opened: FieldStore, typed: Credential) -> bool:
            await opened.set_pin(new, current=typed, allows_plain=plain, profile=_profile(weak=weak))
            return opened.has_plain_pin

        return work

    has_plain_pin = in_store_of(store, ask)
    out.print(say("PIN 已取消。", "The PIN is removed.") if remove else say("PIN 已设好。", "The PIN is set."))
    if has_plain_pin:
        warn(_PLAIN)


@keeping_shut.command(help=say("更换口令。", "Change the passphrase."))
def passphrase(store: Store = DEFAULT_STORE, weak: Weak = False) -> None:  # noqa: FBT002
    """Change the passphrase."""

    def ask() -> Callable[[FieldStore, Credential], Awaitable[None]]:
        new = new_secret(
            "GRIDLOG_NEW_PASSPHRASE", say("新口令（至少 8 个字符）", "New passphrase (8 characters or more)")
        )

        async def work(opened: FieldStore, typed: Credential) -> None:
            await opened.change_passphrase(new, current=typed, profile=_profile(weak=weak))

        return work

    in_store_of(store, ask)
    out.print(say("口令已更换，旧口令作废。", "The passphrase is changed; the old one does not open it any more."))


@keeping_shut.command(
    help=say("用单位的恢复密钥设置新口令。", "Set a new passphrase with the organisation's recovery key.")
)
def recover(
    key_file: Annotated[
        Path, typer.Argument(metavar="KEYFILE", help=say("恢复私钥（PEM 文件）。", "The private key, a PEM file."))
    ],
    store: Store = DEFAULT_STORE,
    weak: Weak = False,  # noqa: FBT002
) -> None:
    """Recover."""
    typed = Recovery(_recovery_key(key_file))
    new = new_passphrase()

    async def work() -> None:
        async with await FieldStore.open(store, typed) as opened:
            await opened.change_passphrase(new, current=typed, profile=_profile(weak=weak))

    carried_out(work())
    out.print(say("已打开，新口令已设好。", "It opened, and the new passphrase is set."))


@keeping_shut.command(help=say("重新读取全部数据，查找损坏。", "Read everything again, and look for damage."))
def verify(store: Store = DEFAULT_STORE) -> None:
    """Verify."""
    found = in_store(store, lambda opened: opened.verify())
    if found.findings:
        fail(*(finding.text for finding in found.findings))
    zh = f"完好：日志 {found.entries} 条，记录 {found.records} 条。"
    out.print(say(zh, f"Sound: {found.entries} entries in the journal, {found.records} records."))


@keeping_shut.command(help=say("清除本机的全部数据，无法恢复。", "Destroy everything in the store, for good."))
def wipe(
    store: Store = DEFAULT_STORE,
    yes: Annotated[bool, typer.Option("--yes", help=say("不再询问。", "Do not ask."))] = False,  # noqa: FBT002
) -> None:
    """Wipe."""
    question = say(
        f"清除 {store} 里的全部数据？没有发出的内容将永远丢失。",
        f"Destroy everything in {store}? What the server has not received is lost for good.",
    )
    if not yes and not typer.confirm(question, err=True):
        fail(Text("什么也没有清除。", "Nothing was destroyed."))
    carried_out(FieldStore.wipe_at(store))
    out.print(say("已清除，无法恢复。", "Everything is destroyed."))


_PLAIN = Text(
    "这个 PIN 没有本机密钥：数据文件一旦被复制，几分钟就能猜出。",
    "This PIN has no device secret: a copy of the files gives it away in minutes.",
)


def _recovery_key(path: Path) -> X25519PrivateKey:
    """Read the private key; whoever protected it with a passphrase is asked for that."""
    try:
        pem = path.read_bytes()
        try:
            key = load_pem_private_key(pem, None)
        except TypeError:
            given = os.environ.get("GRIDLOG_RECOVERY_PASSPHRASE")
            typed = given if given is not None else asked(say("恢复密钥的口令", "Passphrase of the recovery key"))
            key = load_pem_private_key(pem, typed.encode("utf-8", "surrogatepass"))
    except OSError as reason:
        fail(Text(f"读不到恢复密钥：{reason}", f"Cannot read the recovery key: {reason}"))
    except (ValueError, UnsupportedAlgorithm):
        fail(Text("恢复密钥的口令不对，或文件不是私钥。", "Wrong passphrase of the recovery key, or no private key."))
    if not isinstance(key, X25519PrivateKey):
        fail(Text("恢复密钥应为 X25519 私钥。", "The recovery key must be an X25519 private key."))
    return key


def _profile(*, weak: bool) -> KdfProfile:
    return KdfProfile.WEAK_FOR_TESTS if weak else KdfProfile.STANDARD
