"""The agents that a loop drives: what one is, and those that are commands."""
