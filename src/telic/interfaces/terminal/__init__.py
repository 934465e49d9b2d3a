"""`telic top`: the goals of a store in the terminal, live."""
