"""Goals brought from another store or another system, and taken there."""
