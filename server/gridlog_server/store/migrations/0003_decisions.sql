-- Decisions about held ops, and segments that wait behind a gap.

ALTER TABLE op ADD COLUMN hold_status TEXT;  -- of a held op: waiting, released or rejected; NULL if accepted on arrival

DROP INDEX op_held;
CREATE INDEX op_held ON op (seq) WHERE hold IS NOT NULL;
CREATE INDEX op_waiting ON op (hold_status) WHERE hold_status = 'waiting';

CREATE TABLE decision (
    position    INTEGER PRIMARY KEY,  -- its place in the log, whose entry has a hash over all of this
    device      BLOB NOT NULL,        -- the op decided about, part 1
    incarnation BLOB NOT NULL,        -- part 2
    seq         INTEGER NOT NULL,     -- part 3; for a closed gap the last missing one
    verdict     TEXT NOT NULL,        -- released, rejected or gap_closed
    stamp       INTEGER NOT NULL,     -- the clock that a released op was given; 0 otherwise
    decided_by  TEXT NOT NULL,        -- who decided
    decided_ms  INTEGER NOT NULL,     -- when, by the server's clock
    reason      TEXT NOT NULL,        -- why; may be empty for a release
    follows     INTEGER NOT NULL      -- position of the decision that brought this one about; 0 if a person made it
) STRICT;

CREATE INDEX decision_by_device ON decision (device, position);

CREATE TABLE waiting (
    device      BLOB NOT NULL,     -- who signed
    incarnation BLOB NOT NULL,     -- of which store
    first_seq   INTEGER NOT NULL,  -- its first op; the one before has not come
    signature   BLOB NOT NULL,     -- the segment's: one that comes again is the same
    last_seq    INTEGER NOT NULL,  -- its last op
    body        BLOB NOT NULL,     -- the segment as a row of the wire, canonical msgpack
    served      INTEGER NOT NULL,  -- the position its device stood at: what its ops may name
    received_ms INTEGER NOT NULL,  -- when it came
    PRIMARY KEY (device, incarnation, first_seq, signature)
) STRICT, WITHOUT ROWID;
