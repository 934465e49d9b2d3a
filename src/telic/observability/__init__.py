"""What is seen of a store and its loops at work: log lines, spans, metrics; at no cost where nobody asks for it."""
