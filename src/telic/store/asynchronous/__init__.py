"""The async store's methods by theme."""
