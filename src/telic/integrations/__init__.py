"""Adapters: a goal in an agent framework. One file for each framework, an extra of the same name; `session` is shared."""
