"""The async store's methods by theme; `services/blocking` has their twins."""
