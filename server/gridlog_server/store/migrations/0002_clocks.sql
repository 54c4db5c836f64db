-- When each op happened, as estimated once when it came in (gridlog_sync.clocks), and how wrong each device's clock is.

ALTER TABLE op ADD COLUMN happened_ms /* -- when it happened, as estimated */ INTEGER NOT NULL DEFAULT 0;
ALTER TABLE op ADD COLUMN within_ms /* -- how far the truth may be from that */ INTEGER NOT NULL DEFAULT 0;
ALTER TABLE op ADD COLUMN tier /* -- how wrong its wall clock was (clocks.Tier) */ INTEGER NOT NULL DEFAULT 0;
CREATE INDEX op_by_tier ON op (tier) WHERE tier > 0;
CREATE INDEX op_flagged ON op (record, tier) WHERE tier > 0;

-- A device says its time with ops and with its status.
ALTER TABLE device ADD COLUMN clock_ahead_ms /* -- its clock minus ours when it last said; NULL if never */ INTEGER;
