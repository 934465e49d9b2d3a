"""One door for whatever serves: tokens, sessions, limits, listeners, server-sent events."""
