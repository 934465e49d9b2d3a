"""The /goal command: its grammar, what it does, and its replies."""
