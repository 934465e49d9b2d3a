"""Log lines, spans and metrics of a store and its loops at work; at no cost where nobody asks for them."""
