"""Long texts in few words."""


def first_words(text: str, max_chars: int = 60) -> str:
    """The text on one line of at most `max_chars` characters; an ellipsis stands for the rest."""
    line = " ".join(text.split())
    return line if len(line) <= max_chars else line[: max_chars - 1] + "…"
