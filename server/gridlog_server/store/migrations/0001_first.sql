-- The first schema. Every column says what it holds; ids are raw bytes, times are Unix milliseconds in UTC.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,  -- what is remembered: tenant, tenant_name, epoch, server_seq
    value BLOB NOT NULL      -- its value, canonical msgpack
) STRICT, WITHOUT ROWID;

CREATE TABLE person (
    id       BLOB PRIMARY KEY,      -- user id, 16 bytes
    staff_no TEXT NOT NULL UNIQUE,  -- number on the staff card: how commands name a person
    name     TEXT NOT NULL,         -- as colleagues write it
    status   TEXT NOT NULL          -- active or suspended
) STRICT, WITHOUT ROWID;

CREATE TABLE assignment (
    person BLOB NOT NULL REFERENCES person (id),  -- who
    scope  TEXT NOT NULL,                         -- the grid code that the person works in
    PRIMARY KEY (person, scope)
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
    id           BLOB PRIMARY KEY,                      -- device id, 16 bytes, drawn by the device
    handle       BLOB NOT NULL UNIQUE,                  -- 8 bytes that name the device on the air
    person       BLOB NOT NULL REFERENCES person (id),  -- holder
    signing_key  BLOB NOT NULL,                         -- Ed25519 public key
    exchange_key BLOB NOT NULL,                         -- X25519 public key that answers are sealed to
    model        TEXT NOT NULL,                         -- what the device says it is
    app          TEXT NOT NULL,                         -- version of its app
    status       TEXT NOT NULL,                         -- active or suspended
    counter      INTEGER NOT NULL,                      -- highest request counter; older status is ignored
    enrolled_ms  INTEGER NOT NULL,                      -- when it was enrolled
    contact_ms   INTEGER NOT NULL,                      -- last exchange
    report       BLOB NOT NULL                          -- last status it sent, canonical msgpack map
) STRICT, WITHOUT ROWID;

CREATE TABLE code (
    id         BLOB PRIMARY KEY,                      -- 8 bytes derived from the secret: how a request finds it
    secret     BLOB NOT NULL,                         -- SHA-256 of the one-time secret
    person     BLOB NOT NULL REFERENCES person (id),  -- whom the device is for
    expires_ms INTEGER NOT NULL,                      -- no use after this
    device     BLOB                                   -- the device that used it; NULL while unused
) STRICT, WITHOUT ROWID;

CREATE TABLE segment (
    id           INTEGER PRIMARY KEY,  -- order of arrival
    device       BLOB NOT NULL,        -- who signed
    incarnation  BLOB NOT NULL,        -- of which store
    first_seq    INTEGER NOT NULL,     -- first op under the signature
    count        INTEGER NOT NULL,     -- ops under the signature
    chain_before BLOB NOT NULL,        -- chain value before the first op
    chain_after  BLOB NOT NULL,        -- chain value after the last op
    signature    BLOB NOT NULL,        -- Ed25519, 64 bytes
    received_ms  INTEGER NOT NULL      -- when it came in
) STRICT;

CREATE TABLE op (
    device      BLOB NOT NULL,     -- op id, part 1
    incarnation BLOB NOT NULL,     -- op id, part 2
    seq         INTEGER NOT NULL,  -- op id, part 3
    hash        BLOB NOT NULL,     -- 32 bytes: what the op says
    record      BLOB NOT NULL,     -- the record it edits
    body        BLOB NOT NULL,     -- the op at rest (op_codec), as its author signed it
    segment     INTEGER,           -- the segment it first came in; NULL if the server wrote it
    named       INTEGER NOT NULL,  -- its named position as bounded at acceptance
    position    INTEGER,           -- place in the log; NULL while held
    stamp       INTEGER,           -- the clock the server gave it, once; NULL while held
    hold        TEXT,              -- why it is held; NULL if accepted
    hold_field  TEXT,              -- the field concerned, if any
    PRIMARY KEY (device, incarnation, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX op_by_record ON op (record, position);
CREATE INDEX op_held ON op (hold) WHERE hold IS NOT NULL;

CREATE TABLE incarnation (
    device      BLOB NOT NULL,     -- whose store
    incarnation BLOB NOT NULL,     -- which store
    known_seq   INTEGER NOT NULL,  -- every op up to here is held by the server
    chain_head  BLOB NOT NULL,     -- chain value there
    PRIMARY KEY (device, incarnation)
) STRICT, WITHOUT ROWID;

CREATE TABLE log (
    position    INTEGER PRIMARY KEY,  -- gapless, in commit order
    hash        BLOB NOT NULL,        -- chain over all entries up to here
    entry_type  INTEGER NOT NULL,     -- why it is in the log (log_chain.EntryType)
    device      BLOB NOT NULL,        -- the op concerned, part 1
    incarnation BLOB NOT NULL,        -- part 2
    seq         INTEGER NOT NULL      -- part 3
) STRICT;

CREATE TABLE touch (
    scope    TEXT NOT NULL,     -- a scope that has to hear of the entry
    position INTEGER NOT NULL,  -- the log entry
    record   BLOB NOT NULL,     -- the record it touched
    movement INTEGER NOT NULL,  -- touched, entered or left this scope (changes.Movement)
    fields   BLOB NOT NULL,     -- names of the fields touched, canonical msgpack array
    PRIMARY KEY (scope, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE record (
    id        BLOB PRIMARY KEY,  -- UUIDv7
    kind      TEXT NOT NULL,     -- kind of record
    changed   INTEGER NOT NULL,  -- position of the last entry that touched it
    conflicts INTEGER NOT NULL,  -- cells that wait for a person (hard) or were told about (soft)
    state     BLOB NOT NULL      -- merged state (state_codec at rest): a projection of the log
) STRICT, WITHOUT ROWID;

CREATE INDEX record_by_kind ON record (kind, changed);
CREATE INDEX record_in_conflict ON record (changed) WHERE conflicts > 0;

CREATE TABLE record_scope (
    scope  TEXT NOT NULL,  -- a scope the record is in
    record BLOB NOT NULL,  -- the record
    kind   TEXT NOT NULL,  -- its kind, which never changes: urgent kinds are listed first
    PRIMARY KEY (scope, record)
) STRICT, WITHOUT ROWID;

CREATE INDEX record_scope_by_record ON record_scope (record, scope);
CREATE INDEX record_scope_by_kind ON record_scope (scope, kind, record);

CREATE TABLE digest (
    scope TEXT NOT NULL,     -- the set: records of this scope,
    class INTEGER NOT NULL,  -- fields of this class
    count INTEGER NOT NULL,  -- leaves in the sum
    total BLOB NOT NULL,     -- sum of the leaves modulo 2^256, 32 bytes big-endian
    PRIMARY KEY (scope, class)
) STRICT, WITHOUT ROWID;

CREATE TABLE quarantine (
    id          INTEGER PRIMARY KEY,  -- order of arrival
    device      BLOB NOT NULL,        -- who sent it
    received_ms INTEGER NOT NULL,     -- when
    code        TEXT NOT NULL,        -- why it is here, e.g. fork
    body        BLOB NOT NULL         -- the decoded request body: nothing anyone wrote is thrown away
) STRICT;
