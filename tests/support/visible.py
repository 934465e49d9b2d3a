"""What may be shown: an oracle of its own, kept apart from the code that escapes."""

import unicodedata


def dangerous(text: str) -> list[str]:
    """The characters, newlines aside, that control, reorder or hide: none may reach a terminal or a chat."""
    return [each for each in text if each != "\n" and (unicodedata.category(each)[0] == "C" or each in "\u2028\u2029")]
