"""What a goal is and which changes are legal: pure Python, no input or output, no clock."""
