-- Finds the goals that dead workers left behind, however many others wait.
CREATE INDEX goals_with_workers ON goals (lease_expires_at) WHERE status = 'active' AND lease_worker IS NOT NULL;
