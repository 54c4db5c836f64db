"""Turn what a worker types or holds into the key that wraps the master key: Argon2id (RFC 9106), its cost bounded.

The cost is read from a file that a stranger may have changed, so it is checked before anything runs: a file that asks
for a terabyte is refused, not tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

KEY_BYTES = 32
SALT_BYTES = 16

MEMORY_KIB_MIN = 64
MEMORY_KIB_MAX = 256 * 1024
ITERATIONS_MAX = 10
LANES_MAX = 4


class CostOutOfBoundsError(ValueError):
    """The cost is one that we never write: too dear to run, or too cheap to protect anything."""


@dataclass(frozen=True, slots=True)
class KdfCost:
    """What one guess costs. Raises CostOutOfBoundsError when made outside the bounds."""

    memory_kib: int
    iterations: int
    lanes: int

    def __post_init__(self) -> None:
        is_bounded = (
            MEMORY_KIB_MIN <= self.memory_kib <= MEMORY_KIB_MAX
            and 1 <= self.iterations <= ITERATIONS_MAX
            and 1 <= self.lanes <= LANES_MAX
        )
        if not is_bounded:
            raise CostOutOfBoundsError(f"argon2id cost out of bounds: {self}")

    @property
    def is_weak(self) -> bool:
        """Whether a guess is cheaper than in the standard profile."""
        standard = KdfProfile.STANDARD.value
        return self.memory_kib < standard.memory_kib or self.iterations < standard.iterations


class KdfProfile(Enum):
    """The costs that new stores are made with."""

    STANDARD = KdfCost(memory_kib=64 * 1024, iterations=3, lanes=1)
    WEAK_FOR_TESTS = KdfCost(memory_kib=64, iterations=1, lanes=1)
    """Opens in a millisecond and falls to a guesser as fast. A vault made with it says so: `Vault.is_weak`."""


def derive_key(typed: bytes, *, cost: KdfCost, salt: bytes, associated: bytes, secret: bytes = b"") -> bytes:
    """Derive 32 bytes. Slow on purpose; `associated` ties the key to its slot, `secret` to a device."""
    argon = Argon2id(
        salt=salt,
        length=KEY_BYTES,
        iterations=cost.iterations,
        lanes=cost.lanes,
        memory_cost=cost.memory_kib,
        ad=associated,
        secret=secret or None,
    )
    return argon.derive(typed)
