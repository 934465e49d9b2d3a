"""The public stores: one async source of each method, and the blocking store generated from it."""
