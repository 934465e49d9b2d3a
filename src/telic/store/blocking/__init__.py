"""The blocking store's methods by theme, generated from the async store's in `store/asynchronous`."""
