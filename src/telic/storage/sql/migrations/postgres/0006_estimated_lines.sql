-- How many lines of a goal's ledger are estimates, without those that were taken back.

ALTER TABLE goals ADD COLUMN estimated_lines BIGINT NOT NULL DEFAULT 0;
UPDATE goals SET estimated_lines = (
    SELECT COALESCE(SUM(CASE WHEN takes_back IS NULL THEN 1 ELSE -1 END), 0)
    FROM turns WHERE goal_id = goals.id AND is_estimate = 1
) WHERE EXISTS (SELECT 1 FROM turns WHERE goal_id = goals.id AND is_estimate = 1);
