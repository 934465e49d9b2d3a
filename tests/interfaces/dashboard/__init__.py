"""The web dashboard, in a real browser and against raw requests."""
