"""The async store's methods by theme; the blocking store's, in `store/blocking`, are generated from them."""
