"""Adapters: a goal in an agent framework, one file and one extra for each; `session` is what they share."""
