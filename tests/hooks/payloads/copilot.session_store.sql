CREATE TABLE assistant_usage_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id TEXT NOT NULL REFERENCES sessions(id),
    turn_index INTEGER,
    agent_id TEXT,
    parent_tool_call_id TEXT,
    model TEXT NOT NULL,
    copilot_usage_model TEXT,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cache_read_tokens INTEGER,
    cache_write_tokens INTEGER,
    reasoning_tokens INTEGER,
    total_nano_aiu INTEGER,
    request_multiplier REAL,
    duration_ms INTEGER,
    time_to_first_token_ms INTEGER,
    output_ttft_ms REAL,
    inter_token_latency_ms INTEGER,
    initiator TEXT,
    api_endpoint TEXT,
    reasoning_effort TEXT,
    finish_reason TEXT,
    content_filter_triggered INTEGER,
    token_details_json TEXT,
    created_at TEXT DEFAULT (datetime('now'))
);
INSERT INTO assistant_usage_events VALUES (1, 'cccaa4f8-993e-4180-8601-210f1ab891b8', 0, NULL, NULL, 'gpt-5.6', NULL, 1000, 50, 400, 0, 20, NULL, 0.0, 23, NULL, NULL, NULL, 'user', '/responses', 'medium', 'tool_calls', 0, NULL, '2026-11-25T02:36:17.015Z');
INSERT INTO assistant_usage_events VALUES (2, 'cccaa4f8-993e-4180-8601-210f1ab891b8', 0, NULL, NULL, 'gpt-5.6', NULL, 1000, 50, 400, 0, 20, NULL, 0.0, 3, NULL, NULL, NULL, 'agent', '/responses', 'medium', 'tool_calls', 0, NULL, '2026-11-25T02:36:17.159Z');
INSERT INTO assistant_usage_events VALUES (3, 'cccaa4f8-993e-4180-8601-210f1ab891b8', 0, '5417daba-3b27-495d-a995-27dae00837a6', 'call-2-0', 'gpt-5.6', NULL, 1000, 50, 400, 0, 20, NULL, 0.0, 3, NULL, NULL, NULL, 'sub-agent', '/responses', 'low', 'stop', 0, NULL, '2026-11-25T02:36:17.240Z');
INSERT INTO assistant_usage_events VALUES (4, 'cccaa4f8-993e-4180-8601-210f1ab891b8', 0, NULL, NULL, 'gpt-5.6', NULL, 1000, 50, 400, 0, 20, NULL, 0.0, 5, NULL, NULL, NULL, 'agent', '/responses', 'medium', 'stop', 0, NULL, '2026-11-25T02:36:17.346Z');
