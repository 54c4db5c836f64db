-- What lists of the office ask of each record, so that nobody unpacks half a million of them. A projection of `record`:
-- older rows are filled in steps while the server runs, from the states.

CREATE TABLE listing (
    record       BLOB PRIMARY KEY,  -- the record
    kind         TEXT NOT NULL,     -- its kind
    author       BLOB NOT NULL,     -- who created it
    occurred_ms  INTEGER NOT NULL,  -- when it occurred, as it says; else when it was created (Unix ms)
    review_state TEXT NOT NULL,     -- where its review stands
    stepped_ms   INTEGER NOT NULL,  -- since when (Unix ms, by its stamp); 0 if nobody has written it
    words        TEXT NOT NULL      -- its texts in lower case, but for sensitive and masked ones: what search looks in
) STRICT, WITHOUT ROWID;

CREATE INDEX listing_by_kind ON listing (kind, occurred_ms, record);
CREATE INDEX listing_in_review ON listing (review_state, stepped_ms, record)
    WHERE review_state IN ('submitted', 'checked', 'returned');
