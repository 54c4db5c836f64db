-- The lives of this database after the first: one row for each time it was restored from a backup.

CREATE TABLE epoch (
    number      INTEGER PRIMARY KEY,   -- order: 1 is the first restore
    epoch       BLOB NOT NULL UNIQUE,  -- its name, 8 bytes, random
    position    INTEGER NOT NULL,      -- the fork: the log's last position in the backup
    log_hash    BLOB NOT NULL,         -- the log hash there
    restored_ms INTEGER NOT NULL       -- when it was restored
) STRICT;
