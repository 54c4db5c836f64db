"""Overwrite what a locked store left in memory that nobody uses any more. Best effort, and bounded.

Python never wipes memory: what was dropped stands there until something else is put in its place. So this puts zeros
there: it takes the free blocks from both allocators, Python's own and the C library's, fills them, and gives them
back. It reaches what was freed; what somebody still refers to (a record that the app keeps, the passphrase in a text
field) it does not, nor what the system copied to swap before.

Without glibc 2.33 or newer it does the half that Python can do by itself. After 50,000 records it takes some 0.3 s, a
third of that on the app's own thread; of new memory it asks for at most what both bounds below say.
"""

from __future__ import annotations

import ctypes
import gc

_BLOCK_HEADER_BYTES = 33
_BLOCK_SIZES = range(48, 513, 16)
_BYTES_OF_EACH_SIZE = 1 << 20
_POOLS_FILLED_BY = 272
"""Of the sizes of blocks the one that leaves least of a pool unused: 16 bytes of 16 KiB."""
_POOLS_BYTES_MAX = 56 << 20

_HEAP_SIZES = (*(1 << shift for shift in range(16, 10, -1)), *range(1032, 8, -16))
"""What is asked of the C library, largest first; below 1 KiB exactly its own sizes."""
_HEAP_BYTES_MAX = 256 << 20
"""A bound in case the library does not count as expected: it takes what was free already, and then stops."""
_BATCH_BYTES = 8 << 10
_BATCH_MIN = 16
"""More chunks than the seven of one size that the C library caches for a thread."""


class _HeapUse(ctypes.Structure):
    """What glibc's `mallinfo2` returns, of which the first number is enough: bytes taken from the system."""

    _fields_ = (("taken", ctypes.c_size_t), ("others", ctypes.c_size_t * 9))


def scrub() -> None:
    """Overwrite free memory, once the last reference to what was secret is gone.

    The C library keeps memory for each thread: call it on the one that worked with the secrets.
    """
    gc.collect()
    _fill_pools()
    scrub_heap()


def scrub_heap() -> None:
    """Overwrite only what the C library keeps for this thread: call it on a second one that had secrets in hand."""
    libc = ctypes.PyDLL(None)
    if hasattr(libc, "mallinfo2") and hasattr(libc, "malloc_trim"):
        _fill_heap(libc)


def _fill_pools() -> None:
    """Fill the free blocks of objects up to 512 bytes: those in pools of each size, then pools that are empty."""
    for size in _BLOCK_SIZES:
        _fill(size, _BYTES_OF_EACH_SIZE)
    _fill(_POOLS_FILLED_BY, _POOLS_BYTES_MAX)


def _fill(block_bytes: int, total_bytes: int) -> None:
    content_bytes = block_bytes - _BLOCK_HEADER_BYTES
    held = [bytes(content_bytes) for _ in range(total_bytes // block_bytes)]
    del held


def _fill_heap(libc: ctypes.PyDLL) -> None:
    """Take free chunks of each size from the C library until it has to ask the system for more."""
    libc.mallinfo2.restype = _HeapUse
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    # Whole free pages go back to the system, but not those at the end of what a thread other than the first has.
    libc.malloc_trim(0)
    held: int | None = None
    left = _HEAP_BYTES_MAX
    for size in _HEAP_SIZES:
        count = max(_BATCH_MIN, _BATCH_BYTES // size)
        taken_before = libc.mallinfo2().taken
        is_last = False
        while left > 0 and not is_last:
            # Once more after it asked: a chunk that is cached on the way is given out for this size alone.
            is_last = libc.mallinfo2().taken != taken_before
            for _ in range(count):
                held = _filled(libc, size, held)
            left -= count * size
    while held is not None:
        below = ctypes.c_void_p.from_address(held).value
        libc.free(held)
        held = below
    libc.malloc_trim(0)


def _filled(libc: ctypes.PyDLL, size: int, below: int | None) -> int:
    """Take one chunk, and let it say which was taken before it: a list would grow in the memory that is filled."""
    address: int | None = libc.malloc(size)
    if address is None:
        raise MemoryError
    ctypes.memset(address, 0, size)
    ctypes.c_void_p.from_address(address).value = below
    return address
