"""Readers of other systems' databases: what their goals were, as histories that Telic can keep."""
