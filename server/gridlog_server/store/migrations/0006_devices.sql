-- The life of a device: what it says about itself, the order to wipe it, and what became of what a lost one still sent.
-- A device is active, suspended, lost (reported, and told to wipe its store), wiped (it said so), or revoked for ever.

ALTER TABLE device ADD COLUMN about /* -- what it last said of itself, canonical msgpack map */ BLOB NOT NULL DEFAULT x'80';
ALTER TABLE device ADD COLUMN order_counter /* -- the highest counter of an order to it */ INTEGER NOT NULL DEFAULT 0;
ALTER TABLE device ADD COLUMN wipe_ordered_ms /* -- when the order that stands was given; NULL if none does */ INTEGER;
ALTER TABLE device ADD COLUMN order_fetched_ms /* -- when it last was told of it; NULL if it was not */ INTEGER;
ALTER TABLE device ADD COLUMN wiped_ms /* -- when it acknowledged that it is wiped; NULL if it did not */ INTEGER;

ALTER TABLE quarantine ADD COLUMN served /* -- the position its device stood at: what its ops may name */ INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN verdict /* -- taken_in or dismissed; NULL while it waits */ TEXT;
ALTER TABLE quarantine ADD COLUMN decided_by /* -- who decided; NULL while it waits */ TEXT;
ALTER TABLE quarantine ADD COLUMN decided_ms /* -- when, by the server's clock; NULL while it waits */ INTEGER;
ALTER TABLE quarantine ADD COLUMN reason /* -- why; NULL while it waits */ TEXT;

CREATE INDEX quarantine_waiting ON quarantine (id) WHERE verdict IS NULL;
CREATE INDEX act_by_subject ON act (subject);
