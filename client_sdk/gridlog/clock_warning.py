"""What a worker is told about a wrong clock, and when what is known of it is worth a write to the flash."""

from __future__ import annotations

from gridlog_protocol.limits import CLOCK_FINE_MS
from gridlog_protocol.texts import Text, span_text
from gridlog_sync.clocks import Offset


def clock_warning(offset: Offset | None) -> Text | None:
    """Return the sentence that warns of a wrong clock; None if it is right, nearly so, or was never compared."""
    if offset is None or not offset.is_beyond_doubt:
        return None
    span = span_text(abs(offset.ahead_ms))
    zh, en = ("快", "ahead of") if offset.ahead_ms > 0 else ("慢", "behind")
    return Text(
        f"本机时钟比实际时间{zh}约 {span.zh}，请校准。记录不会丢失，先后按服务器的时间排。",
        f"This device's clock is about {span.en} {en} the real time: please set it. "
        "Nothing is lost, and records are put in order by the server's time.",
    )


def is_worth_keeping(offset: Offset | None, on_disk: Offset | None) -> bool:
    """Tell whether a worker would be told something else than what the disk knows."""
    if offset is None or (on_disk is None and not offset.is_beyond_doubt):
        return False
    if on_disk is None or offset.is_beyond_doubt != on_disk.is_beyond_doubt:
        return True
    has_moved = abs(offset.ahead_ms - on_disk.ahead_ms) > CLOCK_FINE_MS + offset.error_ms + on_disk.error_ms
    return offset.is_beyond_doubt and has_moved


def offset_fields(offset: Offset | None) -> tuple[int | None, int]:
    """Return `clock_offset_ms` and `clock_error_ms` as an app gets them."""
    return (None, 0) if offset is None else (offset.ahead_ms, offset.error_ms)
