"""One door for whatever serves: tokens, limits, listeners, server-sent events."""
