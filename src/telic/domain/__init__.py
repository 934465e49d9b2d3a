"""Goals and their legal changes: pure Python, no input or output, no clock."""
