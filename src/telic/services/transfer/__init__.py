"""Export and import of goals, also from other systems."""
