"""When the ops of one push happened: each estimated once, as it comes in, whether it is accepted or held."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from gridlog_protocol.clock import ClockFacts
from gridlog_protocol.ids import DeviceId, Incarnation
from gridlog_protocol.ops import Op
from gridlog_server.store.contract import Transaction
from gridlog_sync.clocks import Arrival, Estimate, estimated


@dataclass(slots=True)
class Timing:
    """Estimates the ops of each incarnation in the order of their `seq`."""

    _arrival: Arrival
    _before: dict[tuple[DeviceId, Incarnation], ClockFacts] = field(default_factory=dict)

    @staticmethod
    async def load(transaction: Transaction, ops: Iterable[Op], arrival: Arrival) -> Timing:
        """Load what was said about time by the last stored op of each incarnation among `ops`."""
        timing = Timing(arrival)
        for author in dict.fromkeys((op.id.device, op.id.incarnation) for op in ops):
            last = (await transaction.ledger.chain(*author)).known_seq
            for stored in await transaction.ledger.ops(*author, last, last):
                timing._before[author] = stored.op.clock
        return timing

    def came(self, arrival: Arrival) -> None:
        """Say how the ops came that are asked about from now on."""
        self._arrival = arrival

    def of(self, op: Op) -> Estimate:
        """Return when an op happened. Ask once for each op, in order."""
        author = (op.id.device, op.id.incarnation)
        before = self._before.get(author)
        self._before[author] = op.clock
        return estimated(op.clock, self._arrival, before=before)
