"""Use cases, one file each: load, decide, commit, and only then speak."""

from gridlog_server.store.contract import StoreUnavailableError as Unavailable

__all__ = ["Unavailable"]
