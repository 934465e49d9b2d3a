"""Programs that write parts of the code."""
