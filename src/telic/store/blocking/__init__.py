# Generated from src/telic/store/asynchronous/__init__.py: change that, then run `make generate`.

"""The blocking store's methods by theme."""
