"""Whose database it is, and its lives."""

from __future__ import annotations

from dataclasses import dataclass

from gridlog_protocol.epochs import Epochs, first_epoch
from gridlog_protocol.ids import Epoch, TenantId


@dataclass(frozen=True, slots=True)
class Tenancy:
    """Whose database this is, and its lives: more than one if it was restored."""

    tenant: TenantId
    name: str
    epochs: Epochs

    @staticmethod
    def new(tenant: TenantId, name: str, epoch: Epoch) -> Tenancy:
        """Return whose a new database is."""
        return Tenancy(tenant, name, first_epoch(tenant, epoch))

    @property
    def epoch(self) -> Epoch:
        """The present life."""
        return self.epochs[-1].epoch

    @property
    def log_start(self) -> bytes:
        """The log hash at position 0: of the first life, whose log the later ones go on with."""
        return self.epochs[0].log_hash
