"""Storage of goals: operations written once, statements in SQL files, one driver for each database."""
