"""Gridlog for handhelds: an encrypted offline store that synchronises with one central server.

`FieldStore` is the door; what is not named here is not public.
"""

from gridlog_protocol.invitation import InvitationError
from gridlog_sync.view import Conflict
from gridlog_sync.writing import Add, Count, InvalidRecordError, Remove

from .errors import (
    AlreadyEnrolledError,
    DiskFailedError,
    DiskFullError,
    ForeignServerError,
    GridlogError,
    NotEnrolledError,
    NothingToUndoError,
    RefusedError,
    StoreDamagedError,
    StoreExistsError,
    StoreInUseError,
    StoreMissingError,
    StoreTooNewError,
    UnknownKindError,
    UnknownRecordError,
    UnreachableError,
    WeakPassphraseError,
    WrongPassphraseError,
)
from .records import HeldNote, PendingOp, Record, SyncReport, SyncStatus, SyncTurn, Whereabouts
from .resolutions import Overruled
from .store import FieldStore
from .vault import KdfProfile

__all__ = [
    "Add",
    "AlreadyEnrolledError",
    "Conflict",
    "Count",
    "DiskFailedError",
    "DiskFullError",
    "FieldStore",
    "ForeignServerError",
    "GridlogError",
    "HeldNote",
    "InvalidRecordError",
    "InvitationError",
    "KdfProfile",
    "NotEnrolledError",
    "NothingToUndoError",
    "Overruled",
    "PendingOp",
    "Record",
    "RefusedError",
    "Remove",
    "StoreDamagedError",
    "StoreExistsError",
    "StoreInUseError",
    "StoreMissingError",
    "StoreTooNewError",
    "SyncReport",
    "SyncStatus",
    "SyncTurn",
    "UnknownKindError",
    "UnknownRecordError",
    "UnreachableError",
    "WeakPassphraseError",
    "Whereabouts",
    "WrongPassphraseError",
]
