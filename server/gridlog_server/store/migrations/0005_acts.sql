-- What administrators did, and what revoked devices still send. A person is active or disabled; a device is active,
-- suspended, or revoked for ever.

CREATE TABLE act (
    id      INTEGER PRIMARY KEY,  -- order in which they were done
    at_ms   INTEGER NOT NULL,     -- when, by the server's clock
    by      TEXT NOT NULL,        -- who, as the operating system says
    what    TEXT NOT NULL,        -- which command, e.g. device.revoke
    subject TEXT NOT NULL,        -- what it was about: a staff number, a device id in hex
    detail  TEXT NOT NULL         -- grids, a reason, a number of records
) STRICT;

CREATE TRIGGER act_stays BEFORE UPDATE ON act BEGIN SELECT raise(ABORT, 'an act stays as it was noted'); END;
CREATE TRIGGER act_remains BEFORE DELETE ON act BEGIN SELECT raise(ABORT, 'an act is never deleted'); END;

CREATE INDEX quarantine_by_device ON quarantine (device, code);
CREATE INDEX record_by_change ON record (changed);
