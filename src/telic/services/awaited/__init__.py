"""The async store's methods by theme; the blocking store's, in `services/blocking`, are generated from them."""
