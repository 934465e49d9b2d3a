"""Checking a goal's criteria: commands, then judges, then humans; nothing here writes to a store."""
