"""Every number that both sides obey, each with its reason. They are part of the protocol."""

from __future__ import annotations

MESSAGE_BYTES_MAX = 1 << 20
"""One sealed message. A batch aims at 256 KiB; four times that leaves room for one large record."""

BODY_BYTES_MAX = 4 << 20
"""A body after decompression: the memory one peer can make us take."""

COMPRESSION_WINDOW_MAX = 4 << 20
"""zstd window: a frame may not ask for more memory than its largest body."""

BATCH_BYTES = 256 << 10
"""Ops a device puts in one request, before compression: a few seconds of a bad link."""

PAGE_BYTES = 384 << 10
"""Merged changes the server puts in one response, before compression."""

SEGMENT_OPS_MAX = 4096
"""Ops under one signature."""

SEGMENTS_MAX = 64
"""Segments in one request: incarnations, authors and epochs change seldom."""

WAITING_BYTES_MAX = 4 << 20
"""Segments that wait behind a gap, for one device: a few full batches. The device keeps what is beyond."""

WAITING_SEGMENTS_MAX = 256
"""Segments that wait behind gaps, for one device: whoever fills a gap has them all taken in at once."""

SALT_BLOCK_OPS = 256
"""Ops that share one salt root. A segment carries one root for each block it touches."""

SEQ_MAX = (1 << 53) - 1
"""The highest `seq`: every language holds it exactly, and hashing never meets a number beyond 64 bits."""

EDITS_MAX = 512
"""Edits in one op: a patrol with every checkpoint and reading stays far below."""

RECORD_BYTES_MAX = 512 << 10
"""A record's merged state, packed: it must fit into one answer, or nothing behind it would ever arrive."""

ENROL_BYTES_MAX = 4 << 10
"""An enrolment request: the only message that is read before anybody is known to have signed it."""

CHALLENGE_BYTES = 16
"""What a hello on the live channel answers: nobody hears the same one twice."""

OP_BYTES_MAX = 128 << 10
"""One op, packed: several times the longest mediation note."""

VALUE_DEPTH_MAX = 6
"""Arrays and maps inside one another in a value: what came up in an op must also fit into a page going down."""

ROUNDS_MAX = 65_535
"""How often the workflow of one record can go back: nobody does so every day for a century."""

FIELD_NAME_CHARACTERS_MAX = 64
"""A field's name. On the air the bound is four bytes for each character."""

ELEMENT_KEY_BYTES_MAX = 256
"""The key of an element of a set, list or map: an id, a code or a short text."""

KIND_NAME_CHARACTERS_MAX = 64
"""A kind's name: ASCII, so on the air as many bytes."""

SCOPES_MAX = 64
"""Scopes one device may hold, and fetches in one request."""

STATUS_BYTES_MAX = 2048
"""What a device says about itself: battery, storage, versions, clock warnings."""

ABOUT_BYTES_MAX = 8192
"""What a device says about itself beside its status: sent when it changed. Sixty-four scopes fit in."""

REASON_CHARACTERS_MIN = 5
"""The reason of a rejection: its author must learn something from it."""

REASON_CHARACTERS_MAX = 200
"""The reason of a decision: a sentence or two on a small screen."""

DECIDER_CHARACTERS_MAX = 60
"""The name of who decided."""

EPOCHS_MAX = 1024
"""Lives of one database: a server that is restored every week reaches it in twenty years."""

SALVAGE_MAX = 256
"""What is left of others' ops, in one request."""

DECISIONS_MAX = 512
"""Decisions in one answer, each at most about a kilobyte. What is beyond comes with the next one."""

CLOCK_AHEAD_MS = 60_000
"""A stamp is at most this far ahead of the server's clock when it is accepted."""

CLOCK_FINE_MS = 120_000
"""A clock within two minutes is fine; beyond, the worker is warned."""

CLOCK_CORRECTED_MS = 86_400_000
"""A clock within a day is corrected by the server's estimate; beyond, a person should look."""

CLOCK_DRIFT_PPM = 200
"""Parts of a million that a phone's clock may run fast or slow: the crystals in phones stay well below."""

ENROLMENT_CODE_HOURS = 24
"""An enrolment code is handed over in person: a day is enough, and a lost slip of paper soon worthless."""
