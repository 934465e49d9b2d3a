"""Hooks of coding agents: what `telic hook` answers them, and how `telic install` writes their configuration."""
