"""Who appears in the examples: read from the document's one TOML block, with what follows for all of them."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gridlog_protocol import segment
from gridlog_protocol.clock import ClockFacts, Stamp, reading
from gridlog_protocol.ids import (
    DeviceId,
    Epoch,
    Incarnation,
    OpId,
    Position,
    ScopeId,
    TenantId,
    UserId,
    record_id,
)
from gridlog_protocol.log_chain import EntryType, log_next, log_start
from gridlog_protocol.ops import Action, Edit, Intent, Op, Seen, op_hash, op_salt
from gridlog_protocol.receipts import Receipt
from gridlog_protocol.segment import chain_next, chain_start, cut
from gridlog_sync.digest import SetDigest, leaves
from gridlog_sync.merge import Entry, apply

_INPUTS = re.compile(r"```toml\n(.*?)```", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Cast:
    """Who appears in the examples, as the document states them, and what follows for all of them."""

    facts: dict[str, Any]
    ops: tuple[Op, ...]

    @staticmethod
    def read(document: str) -> Cast:
        """Read the document's one TOML block."""
        found = _INPUTS.search(document)
        assert found is not None, "the document states no inputs"
        facts = tomllib.loads(found[1])
        return Cast(facts, tuple(_op(facts, seq, each) for seq, each in enumerate(facts["ops"], start=1)))

    def raw(self, name: str) -> bytes:
        """Return an input that is written in hex."""
        return bytes.fromhex(self.facts[name])

    @property
    def tenant(self) -> TenantId:
        """The tenant of all examples."""
        return TenantId(self.facts["tenant"])

    @property
    def epoch(self) -> Epoch:
        """The epoch of all examples."""
        return Epoch(self.raw("epoch"))

    @property
    def device_signing(self) -> Ed25519PrivateKey:
        """DSK."""
        return Ed25519PrivateKey.from_private_bytes(self.raw("device_signing_seed"))

    @property
    def device_exchange(self) -> X25519PrivateKey:
        """DXK."""
        return X25519PrivateKey.from_private_bytes(self.raw("device_exchange_secret"))

    @property
    def server_signing(self) -> Ed25519PrivateKey:
        """SSK."""
        return Ed25519PrivateKey.from_private_bytes(self.raw("server_signing_seed"))

    @property
    def server_exchange(self) -> X25519PrivateKey:
        """SXK."""
        return X25519PrivateKey.from_private_bytes(self.raw("server_exchange_secret"))

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The ops as the log has them: stamped as claimed, at positions 1 and 2."""
        return tuple(Entry(op, Stamp(op.clock.hlc), Position(at)) for at, op in enumerate(self.ops, start=1))

    @property
    def chain(self) -> list[bytes]:
        """The device's chain: before the first op, and after each."""
        links = [chain_start(self.ops[0].id.device, self.ops[0].id.incarnation)]
        for op in self.ops:
            links.append(chain_next(links[-1], op_hash(op)))
        return links

    @property
    def log(self) -> list[bytes]:
        """The log hashes at positions 0, 1 and 2."""
        links = [log_start(self.tenant, self.epoch)]
        for entry in self.entries:
            links.append(
                log_next(
                    links[-1],
                    position=entry.position,
                    entry_type=EntryType.ACCEPTED,
                    op=entry.op.id,
                    op_hash=op_hash(entry.op),
                    stamp=entry.stamp,
                )
            )
        return links

    @property
    def segment(self) -> segment.Segment:
        """Both ops under one signature."""
        roots = {0: self.raw("salt_root")}
        return cut(self.ops, tenant=self.tenant, chain_before=self.chain[0], roots=roots, key=self.device_signing)

    @property
    def receipt(self) -> Receipt:
        """What the server signs after both ops."""
        first = self.ops[0].id
        now_ms: int = self.facts["server_ms"]
        return Receipt(
            self.tenant,
            first.device,
            first.incarnation,
            len(self.ops),
            self.chain[-1],
            Position(len(self.ops)),
            self.log[-1],
            now_ms,
        )

    @property
    def digests(self) -> dict[tuple[ScopeId, int], SetDigest]:
        """The digests of the scope `tenant` once it holds the example record."""
        state = apply(apply(None, self.entries[0]), self.entries[1])
        return {(ScopeId("tenant"), each): SetDigest().plus(leaf) for each, leaf in leaves(state).items()}


def _op(facts: dict[str, Any], seq: int, said: dict[str, Any]) -> Op:
    epoch = Epoch(bytes.fromhex(facts["epoch"]))
    return Op(
        OpId(DeviceId(bytes.fromhex(facts["device"])), Incarnation(bytes.fromhex(facts["incarnation"])), seq),
        UserId(bytes.fromhex(facts["user"])),
        record_id(facts["record_ms"], bytes.fromhex(facts["record_entropy"])),
        said["kind"],
        said["schema"],
        Intent(said["intent"]),
        Seen(epoch, Position(said["position"]), said["own_seq"]),
        ClockFacts(
            reading(said["hlc_ms"], said["hlc_counter"]),
            said["wall_ms"],
            bytes.fromhex(facts["boot"]),
            said["monotonic_ms"],
            said["server_ms"],
        ),
        tuple(Edit(field, Action(code & 15), key, value, code >> 4) for field, code, key, value in said["edits"]),
        op_salt(bytes.fromhex(facts["salt_root"]), seq),
    )
