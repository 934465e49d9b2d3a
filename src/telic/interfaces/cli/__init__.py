"""The `telic` command."""
