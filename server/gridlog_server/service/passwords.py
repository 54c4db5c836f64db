"""Passwords: which are allowed, what is stored of one, and whether one is right. Argon2id (RFC 9106) in PHC form."""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeVar

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from .refusing import RefusedError

CHARACTERS_MIN, CHARACTERS_MAX = 10, 128
_SALT_BYTES, _HASH_BYTES = 16, 32
_AT_ONCE = 2
_WAITING_MAX = 64
# Without those that look alike, in groups that can be read out.
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP_LETTERS = 4, 5
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PasswordCost:
    """What one guess costs."""

    memory_kib: int
    iterations: int


class PasswordProfile(Enum):
    """Costs. The standard one is above what OWASP asks for (19 MiB, two passes)."""

    STANDARD = PasswordCost(memory_kib=32 * 1024, iterations=3)
    WEAK_FOR_TESTS = PasswordCost(memory_kib=64, iterations=1)


class Passwords:
    """Hashes and compares, a few at once and beside the event loop: each takes its memory and its time."""

    def __init__(self, entropy: Callable[[int], bytes], profile: PasswordProfile = PasswordProfile.STANDARD) -> None:
        self._entropy = entropy
        self._cost = profile.value
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0
        # Compared with when there is nothing to compare with, so that time tells nothing.
        self._nobodys = self._hash(secrets.token_hex(16))

    async def hashed(self, password: str) -> str:
        """Return what is stored of a password. Raises RefusedError if it is too short, too long, or we are busy."""
        wanted = _checked(password)
        return await self._in_turn(lambda: self._hash(wanted))

    async def is_right(self, password: str, stored: str) -> bool:
        """Tell whether a password is the stored one. Takes as long if nothing is stored. Raises RefusedError."""
        # Bounded before normalising, which makes some characters longer.
        typed = _normal(password[:CHARACTERS_MAX]) if len(password) <= CHARACTERS_MAX else ""
        matches = await self._in_turn(lambda: _matches(typed, stored or self._nobodys))
        return matches and bool(stored) and bool(typed)

    def is_cheap(self, stored: str) -> bool:
        """Tell whether a stored password was hashed at another cost than new ones are."""
        return f"$m={self._cost.memory_kib},t={self._cost.iterations},p=1$" not in stored

    async def _in_turn(self, work: Callable[[], T]) -> T:
        if self._waiting >= _WAITING_MAX:
            raise RefusedError(
                "现在登录的人太多，请稍后再试。", "Too many people sign in at once: try again in a moment."
            )
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1

    def _hash(self, password: str) -> str:
        argon = Argon2id(
            salt=self._entropy(_SALT_BYTES),
            length=_HASH_BYTES,
            iterations=self._cost.iterations,
            lanes=1,
            memory_cost=self._cost.memory_kib,
        )
        return argon.derive_phc_encoded(password.encode())


def generated() -> str:
    """Return a random password of 99 bits that can be read out: for handing over once."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LETTERS)) for _ in range(_GROUPS))
    return "-".join(groups)


def _checked(password: str) -> str:
    normal = _normal(password) if isinstance(password, str) and len(password) <= CHARACTERS_MAX else ""
    if not CHARACTERS_MIN <= len(normal) <= CHARACTERS_MAX or len(set(normal)) == 1:
        raise RefusedError(
            f"密码应有 {CHARACTERS_MIN} 到 {CHARACTERS_MAX} 个字符，且不能是同一个字符。",
            f"A password has {CHARACTERS_MIN} to {CHARACTERS_MAX} characters, not all the same.",
        )
    return normal


def _normal(password: str) -> str:
    # One password, however a keyboard composes it; lone surrogates have no UTF-8.
    return unicodedata.normalize("NFKC", password).encode("utf-8", "replace").decode()


def _matches(password: str, stored: str) -> bool:
    try:
        Argon2id.verify_phc_encoded(password.encode(), stored)
    except InvalidKey:
        return False
    return True
