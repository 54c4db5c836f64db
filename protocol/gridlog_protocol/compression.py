"""Squeeze messages with zstd and a dictionary that both sides have, and refuse bombs before they take memory.

A body is one byte, then the message: 0 = as it is, 1 = a zstd frame, 2 and above = a zstd frame made with the
dictionary of that number. A dictionary that was shipped never changes and stays readable; a better one gets the next
number.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import cache
from importlib.resources import files

import zstandard

from .errors import ProtocolError
from .limits import BODY_BYTES_MAX, COMPRESSION_WINDOW_MAX

DICTIONARY_BYTES_MAX = 110 << 10
SHIPPED = (3,)
"""The numbers of the dictionaries in this package, oldest first. Messages are written with the last."""

_PLAIN, _BARE = 0, 1
_WINDOW_LOG = 20
_WORTH_SQUEEZING_BYTES = 48
"""An idle request is shorter, and need not wait for the tables of the dictionary."""
_WORTH_EFFORT_BYTES = 96 << 10
"""What is longer follows something shorter that came through quickly, or is one op or record that is long by itself:
there the time is worth more."""


class Effort(Enum):
    """How much time a writer gives to save bytes.

    Over a link of 5 KB/s the 5 % that are found with ten times the work save seconds; over a fast one they cost some.
    A server answers hundreds of phones, and gives as much to pages of a first fetch alone, as far as they are short.
    """

    QUICK = zstandard.ZstdCompressionParameters(
        window_log=_WINDOW_LOG,
        chain_log=18,
        hash_log=18,
        search_log=5,
        min_match=4,
        strategy=zstandard.STRATEGY_LAZY2,
        write_dict_id=False,
    )
    THOROUGH = zstandard.ZstdCompressionParameters(
        window_log=_WINDOW_LOG,
        chain_log=18,
        hash_log=18,
        search_log=5,
        min_match=3,
        target_length=256,
        strategy=zstandard.STRATEGY_BTOPT,
        write_dict_id=False,
    )


class Compression:
    """What one side writes and reads: dictionaries by number, of which the highest is written with."""

    def __init__(self, dictionaries: Mapping[int, bytes]) -> None:
        assert all(_BARE < number < 256 for number in dictionaries)
        self._read = {number: zstandard.ZstdCompressionDict(raw) for number, raw in dictionaries.items()}
        self._newest = max(dictionaries)
        self._raw = dictionaries[self._newest]
        self._tables: dict[Effort, zstandard.ZstdCompressionDict] = {}

    def squeeze(self, plain: bytes, effort: Effort) -> bytes:
        """Return the body of a packed message, in the shorter of the two forms. `effort` is the most to be made."""
        if len(plain) < _WORTH_SQUEEZING_BYTES:
            return bytes([_PLAIN]) + plain
        if len(plain) > _WORTH_EFFORT_BYTES:
            effort = Effort.QUICK
        # A compressor serves one thread at a time, and making one is cheap: what costs time is in the dictionary.
        compressor = zstandard.ZstdCompressor(compression_params=effort.value, dict_data=self._prepared(effort))
        squeezed = compressor.compress(plain)
        if len(squeezed) < len(plain):
            return bytes([self._newest]) + squeezed
        return bytes([_PLAIN]) + plain

    def expand(self, body: bytes) -> bytes:
        """Return the packed message of a body.

        Raises ProtocolError `malformed`, `too_large`, or `unsupported_version` for a dictionary that is not here.
        """
        if not body:
            raise ProtocolError("malformed", detail="an empty body")
        form, rest = body[0], body[1:]
        if form == _PLAIN:
            return rest
        if form != _BARE and form not in self._read:
            raise ProtocolError("unsupported_version", detail=f"dictionaries {sorted(self._read)}")
        try:
            # The library ignores max_output_size once a frame declares its size: look at the declaration first.
            frame = zstandard.get_frame_parameters(rest)
            if frame.content_size > BODY_BYTES_MAX or frame.window_size > COMPRESSION_WINDOW_MAX:
                raise ProtocolError("too_large", detail=f"at most {BODY_BYTES_MAX} bytes decompressed")
            if frame.dict_id:
                raise ProtocolError("malformed", detail="the frame names a dictionary")
            expander = zstandard.ZstdDecompressor(
                dict_data=self._read.get(form), max_window_size=COMPRESSION_WINDOW_MAX
            )
            return expander.decompress(rest, max_output_size=BODY_BYTES_MAX, allow_extra_data=False)
        except zstandard.ZstdError:
            raise ProtocolError("malformed", detail="not a zstd frame") from None

    def _prepared(self, effort: Effort) -> zstandard.ZstdCompressionDict:
        # Its tables take 20 ms to make, once in a process; two threads may both make them, and one stays.
        if effort not in self._tables:
            dictionary = zstandard.ZstdCompressionDict(self._raw)
            dictionary.precompute_compress(compression_params=effort.value)
            self._tables[effort] = dictionary
        return self._tables[effort]


@cache
def shipped() -> Compression:
    """Return what this package writes and reads. The dictionaries are read when the first message needs them."""
    return Compression({number: shipped_dictionary(number) for number in SHIPPED})


def shipped_dictionary(number: int) -> bytes:
    """Return a dictionary of this package."""
    return files("gridlog_protocol").joinpath(f"dictionaries/{number}.zdict").read_bytes()
