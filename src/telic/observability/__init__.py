"""Log lines, spans and metrics of stores and loops; they cost nothing where nobody uses them."""
