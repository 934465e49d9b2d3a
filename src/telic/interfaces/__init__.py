"""Ways in for people and other programs."""
