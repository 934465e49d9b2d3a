"""What may be shown: an oracle of its own, kept apart from the code that escapes."""

import unicodedata

_JOINED_SCRIPTS = frozenset({"ARABIC", "BENGALI", "DEVANAGARI", "SINHALA"})
_STYLES = "\ufe0e\ufe0f"


def dangerous(text: str) -> list[str]:
    """The characters, newlines aside, that control, reorder or hide: none may reach a terminal or a chat.

    A joiner hides nothing where it joins: between letters of a script that is written with joiners, and the
    zero-width joiner between two pictographs.
    """
    return [each for place, each in enumerate(text) if _is_dangerous(each) and not _joins(text, place)]


def _is_dangerous(character: str) -> bool:
    return character != "\n" and (unicodedata.category(character)[0] == "C" or character in "\u2028\u2029")


def _joins(text: str, place: int) -> bool:
    before, after = text[:place], text[place + 1 : place + 2]
    if text[place] == "\u200d" and _is_pictograph(_unstyled(before)[-1:]) and _is_pictograph(after):
        return True
    return text[place] in "\u200c\u200d" and _is_joined_letter(before[-1:]) and _is_joined_letter(after)


def _unstyled(text: str) -> str:
    """Return the text without one style and one skin tone at its end."""
    text = text[:-1] if text and text[-1] in _STYLES else text
    return text[:-1] if _name(text[-1:]).startswith("EMOJI MODIFIER") else text


def _is_pictograph(character: str) -> bool:
    return bool(character) and unicodedata.category(character) == "So"


def _is_joined_letter(character: str) -> bool:
    return _name(character).partition(" ")[0] in _JOINED_SCRIPTS and unicodedata.category(character)[0] in "LM"


def _name(character: str) -> str:
    return unicodedata.name(character, "") if character else ""
