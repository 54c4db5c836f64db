"""What can go wrong while a store is opened, or while what opens it is changed; each with a sentence for the worker.

As in `errors`: the docstring is the help text, `text` the short sentence. No error carries what was typed.
"""

from __future__ import annotations

from gridlog_protocol.texts import Text

from .errors import GridlogError


class WrongPinError(GridlogError):
    """The PIN is wrong. `left` more wrong ones destroy it; the next may be tried after `wait_s` seconds."""

    def __init__(self, left: int, wait_s: int) -> None:
        if wait_s:
            text = Text(
                "PIN 不对。再错 {left} 次，PIN 就会作废。请等 {wait_s} 秒再试。",
                "The PIN is wrong. After {left} more it is destroyed. Wait {wait_s} seconds before the next.",
            )
        else:
            text = Text(
                "PIN 不对。再错 {left} 次，PIN 就会作废。",
                "The PIN is wrong. After {left} more it is destroyed.",
            )
        super().__init__(text.filled(left=left, wait_s=wait_s))
        self.left = left
        self.wait_s = wait_s


class PinWaitError(GridlogError):
    """Too many wrong PINs: the next may be tried after `wait_s` seconds. This one was not tried, and not counted."""

    def __init__(self, wait_s: int) -> None:
        text = Text(
            "PIN 错误次数太多，请等 {wait_s} 秒再试，或用口令或工牌打开。",
            "Too many wrong PINs. Wait {wait_s} seconds, or open with the passphrase or a badge.",
        )
        super().__init__(text.filled(wait_s=wait_s))
        self.wait_s = wait_s


class PinDestroyedError(GridlogError):
    """Ten wrong PINs: the PIN is destroyed, and nothing else. Open with the passphrase or a badge; set a new PIN."""

    def __init__(self) -> None:
        super().__init__(
            Text(
                "PIN 错了十次，已经作废。数据还在：请用口令或工牌打开，再设新的 PIN。",
                "Ten wrong PINs: the PIN is destroyed. The records are safe: open with the passphrase or a badge.",
            )
        )


class NoPinError(GridlogError):
    """This store has no PIN: none was set, or ten wrong ones destroyed it. Open with the passphrase or a badge."""

    def __init__(self) -> None:
        super().__init__(
            Text(
                "没有可用的 PIN：没有设过，或错了十次已作废。请用口令或工牌打开。",
                "There is no PIN: none was set, or ten wrong ones destroyed it. Open with the passphrase or a badge.",
            )
        )


class DeviceSecretMissingError(GridlogError):
    """The PIN works only together with the secret of this device, which was not given. No attempt was counted."""

    def __init__(self) -> None:
        super().__init__(
            Text(
                "这个 PIN 须与本机的密钥一起使用，但没有找到密钥。请用口令或工牌打开。",
                "This PIN needs the device's secret, which is missing. Open with the passphrase or a badge.",
            )
        )


class WeakPinError(GridlogError):
    """The PIN is too easy to guess: too short, not digits, all the same or counting. Choose another one."""

    def __init__(self, digits_min: int) -> None:
        text = Text(
            "PIN 至少 {digits} 位数字，不能全部相同，也不能是顺子。",
            "A PIN has at least {digits} digits, not all the same and not counting up or down.",
        )
        super().__init__(text.filled(digits=digits_min))
        self.digits_min = digits_min


class PlainPinError(GridlogError):
    """Without a secret of the device a copy of the files gives a PIN away in minutes. Give one, or allow it."""

    def __init__(self) -> None:
        super().__init__(
            Text(
                "没有本机密钥的 PIN，数据文件一旦被复制，几分钟就能猜出。须明确允许才能使用。",
                "A PIN without a device secret is guessed in minutes from a copy of the files. Allow it explicitly.",
            )
        )


class WrongBadgeError(GridlogError):
    """The badge does not open this store, or none was registered. Hold up the right one, or use the passphrase."""

    def __init__(self) -> None:
        super().__init__(
            Text(
                "这张工牌打不开，请换一张，或用口令。",
                "This badge does not open the store. Use another, or the passphrase.",
            )
        )


class WrongRecoveryKeyError(GridlogError):
    """The recovery key is not the one of the organisation that this store is enrolled with."""

    def __init__(self) -> None:
        super().__init__(
            Text("恢复密钥与这里的数据不符。", "The recovery key is not the one that this store was made for.")
        )
