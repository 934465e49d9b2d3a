"""The web dashboard: server-rendered pages over a store, live by server-sent events."""
