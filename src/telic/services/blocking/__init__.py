"""The blocking store's methods by theme; `services/awaited` has their twins."""
