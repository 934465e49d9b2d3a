"""The autonomous loop: what drives a goal's agent, turn after turn."""
