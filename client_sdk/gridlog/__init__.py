"""Gridlog for handhelds: an encrypted offline store that synchronises with one central server.

`FieldStore` is the door; what is not named here is not public.
"""

from gridlog_protocol.invitation import InvitationError
from gridlog_protocol.texts import Text
from gridlog_sync.review import Review, ReviewComment, ReviewState
from gridlog_sync.view import Conflict
from gridlog_sync.writing import Add, Count, InvalidRecordError, Remove

from .credentials import Badge, Credential, Pin, Recovery
from .drafts import Draft
from .errors import (
    AlreadyEnrolledError,
    DiskFailedError,
    DiskFullError,
    DraftTooLargeError,
    ForeignServerError,
    GridlogError,
    LockedError,
    NotEnrolledError,
    NothingToUndoError,
    OrderRefusedError,
    RefusedError,
    StoreDamagedError,
    StoreExistsError,
    StoreInUseError,
    StoreMissingError,
    StoreTooNewError,
    StoreWipedError,
    SuspendedError,
    UnknownDraftError,
    UnknownKindError,
    UnknownRecordError,
    UnreachableError,
    WeakPassphraseError,
    WipedByOrderError,
    WrongPassphraseError,
)
from .records import DecidedNote, HeldNote, PendingOp, Record, SyncReport, SyncStatus, SyncTurn, Whereabouts
from .resolutions import Overruled
from .store import FieldStore
from .vault import KdfProfile, SlotKind
from .vault_errors import (
    DeviceSecretMissingError,
    NoPinError,
    PinDestroyedError,
    PinWaitError,
    PlainPinError,
    WeakPinError,
    WrongBadgeError,
    WrongPinError,
    WrongRecoveryKeyError,
)
from .verifying import Finding, Verified
from .watching import Watch

__all__ = [
    "Add",
    "AlreadyEnrolledError",
    "Badge",
    "Conflict",
    "Count",
    "Credential",
    "DecidedNote",
    "DeviceSecretMissingError",
    "DiskFailedError",
    "DiskFullError",
    "Draft",
    "DraftTooLargeError",
    "FieldStore",
    "Finding",
    "ForeignServerError",
    "GridlogError",
    "HeldNote",
    "InvalidRecordError",
    "InvitationError",
    "KdfProfile",
    "LockedError",
    "NoPinError",
    "NotEnrolledError",
    "NothingToUndoError",
    "OrderRefusedError",
    "Overruled",
    "PendingOp",
    "Pin",
    "PinDestroyedError",
    "PinWaitError",
    "PlainPinError",
    "Record",
    "Recovery",
    "RefusedError",
    "Remove",
    "Review",
    "ReviewComment",
    "ReviewState",
    "SlotKind",
    "StoreDamagedError",
    "StoreExistsError",
    "StoreInUseError",
    "StoreMissingError",
    "StoreTooNewError",
    "StoreWipedError",
    "SuspendedError",
    "SyncReport",
    "SyncStatus",
    "SyncTurn",
    "Text",
    "UnknownDraftError",
    "UnknownKindError",
    "UnknownRecordError",
    "UnreachableError",
    "Verified",
    "Watch",
    "WeakPassphraseError",
    "WeakPinError",
    "Whereabouts",
    "WipedByOrderError",
    "WrongBadgeError",
    "WrongPassphraseError",
    "WrongPinError",
    "WrongRecoveryKeyError",
]
