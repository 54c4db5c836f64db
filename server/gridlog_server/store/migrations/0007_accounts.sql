-- Who may sign in to the console, what he may do there, and the sessions that are open.

CREATE TABLE account (
    person      BLOB PRIMARY KEY REFERENCES person (id),  -- who
    password    TEXT NOT NULL,                            -- Argon2id as a PHC string; empty: he cannot sign in
    password_ms INTEGER NOT NULL,                         -- when the password was set; 0 if it never was
    roles       TEXT NOT NULL,                            -- worker, supervisor, administrator: sorted, with spaces
    subtree     TEXT NOT NULL                             -- the grid at the top of what he supervises; empty: all
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    id        BLOB PRIMARY KEY,                          -- SHA-256 of the token, which nobody but its bearer has
    person    BLOB NOT NULL REFERENCES person (id),      -- who signed in
    begun_ms  INTEGER NOT NULL,                          -- when
    used_ms   INTEGER NOT NULL,                          -- when it was last used, to a minute
    proved_ms INTEGER NOT NULL                           -- when its bearer last gave the password
) STRICT, WITHOUT ROWID;

CREATE INDEX session_by_person ON session (person);
CREATE INDEX session_by_begin ON session (begun_ms);
