"""What a model reads of a goal: the block, the texts around it, and the escaping that every author's word passes."""

from telic.prompt.block import place_after_prefix, render
from telic.prompt.escape import quote, visible

__all__ = ["place_after_prefix", "quote", "render", "visible"]
