"""Escapes any text that somebody else wrote: as one JSON string, or as text with every hidden character written out.

Both ways use one table of risky characters: those that a prompt, a terminal or a page must not show as they are.
"""

import functools
import re
import sys
import unicodedata
from typing import Final

# White space that is seen as such (category Zs); Python counts it among the unprintable.
_SPACES: Final = frozenset(map(chr, (0x20, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)))

# What tags, entities, code fences and JSON strings are made of.
_STRUCTURAL: Final = frozenset('<>&`"\\')

_INVISIBLE: Final = (
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x180B, 0x180F),  # Mongolian variation selectors and vowel separator
    (0x2800, 0x2800),  # Braille blank
    (0x303F, 0x303F),  # ideographic half fill space
    (0x3164, 0x3164),  # Hangul filler
    (0xFE00, 0xFE0D),  # variation selectors but the two that choose between text and emoji
    (0xFFA0, 0xFFA0),  # halfwidth Hangul filler
    (0xFFF0, 0xFFF8),  # default-ignorable, unassigned
    (0xFFFC, 0xFFFC),  # object replacement
    (0x13441, 0x13446),  # Egyptian blanks and lost signs
    (0x16FE4, 0x16FE4),  # Khitan filler
    (0x1D159, 0x1D159),  # null notehead
    (0xE0000, 0xE0FFF),  # tags and the supplementary variation selectors
)

_LOOK_ALIKES: Final = (
    (0x00AB, 0x00AB), (0x00BB, 0x00BB),  # double guillemets
    (0x02C2, 0x02C3), (0x02F1, 0x02F2),  # modifier arrowheads
    (0x1433, 0x1433), (0x1438, 0x1438), (0x16B2, 0x16B2), (0x16F3F, 0x16F3F),  # letters of that shape
    (0x2039, 0x203A),  # single guillemets
    (0x226A, 0x226B), (0x22D6, 0x22D9), (0x2AA1, 0x2AA2), (0x2AF7, 0x2AF8),  # nested and dotted
    (0x2329, 0x232A),  # angle brackets that every normal form replaces by the CJK ones
    (0x276C, 0x2771), (0x27E8, 0x27EB), (0x2991, 0x2996), (0x29FC, 0x29FD),  # ornamental and mathematical
    (0x3008, 0x300B), (0xFE3D, 0xFE40),  # CJK, also vertical
    (0x1D236, 0x1D237),  # Greek instrumental notation
)  # fmt: skip

# Marks of no script of their own: they compose with, enclose or strike through whatever stands before them.
_OVERLAYS: Final = (
    (0x0300, 0x036F), (0x0488, 0x0489), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0xFE20, 0xFE2F),
    (0xA670, 0xA672),
)  # fmt: skip

# The variation selectors that choose between text and emoji; a person sees what they do, a prompt escapes them.
_EMOJI_STYLES: Final = ((0xFE0E, 0xFE0F),)

# From here on nothing is written: planes unassigned, of tags and variation selectors, and for private use.
_EMPTY_FROM: Final = 0x40000

_ZERO_WIDTH_JOINER: Final = "\u200d"
JOINERS: Final = frozenset({"\u200c", _ZERO_WIDTH_JOINER})
"""The zero-width non-joiner and joiner: letters of some scripts, and the parts of some emoji, need one between them."""

_SCRIPTS_WITH_JOINERS: Final = (
    (0x0600, 0x08FF),  # Arabic, Syriac, Thaana, N'Ko, Samaritan, Mandaic
    (0x0900, 0x0DFF),  # the scripts of India and Sri Lanka
    (0x0F00, 0x109F),  # Tibetan, Myanmar
    (0x1780, 0x18AF),  # Khmer, Mongolian
    (0x1900, 0x1AAF), (0x1B00, 0x1C4F),  # Limbu, Tai Tham, Balinese, Sundanese, Batak, Lepcha
    (0xA800, 0xA82F), (0xA840, 0xA8FF), (0xA930, 0xA9DF), (0xAA00, 0xAA5F), (0xABC0, 0xABFF),
    (0xFB50, 0xFDFF), (0xFE70, 0xFEFE),  # Arabic forms
    (0x10AC0, 0x10AFF), (0x11000, 0x11FFF), (0x1E900, 0x1E95F),
)  # fmt: skip

_PICTOGRAPHS: Final = (
    (0x00A9, 0x00A9), (0x00AE, 0x00AE), (0x203C, 0x203C), (0x2049, 0x2049), (0x2122, 0x2122), (0x2139, 0x2139),
    (0x2190, 0x21FF), (0x2300, 0x23FF), (0x25A0, 0x27BF), (0x2934, 0x2935), (0x2B00, 0x2BFF),
    (0x1F000, 0x1F3FA), (0x1F400, 0x1FAFF),
)  # fmt: skip
_SKIN_TONES: Final = ((0x1F3FB, 0x1F3FF),)
_VIRAMA: Final = 9
"""The combining class of signs that take a consonant's vowel away."""

_LEAF_RANGES: Final = 32
_RISKY_TOLD_FIRST: Final = 12
# Beyond the basic plane the longest ranges hold nearly all that there is: emoji, ideographs, whole scripts, gaps.
_SHOWN_TOLD_FIRST: Final = 48

Ranges = list[tuple[int, int]]


def hidden_characters(text: str) -> frozenset[str]:
    """Those of the text's characters that a person would not see, or that move, colour or reorder what they see."""
    return frozenset(
        character
        for character in set(text)
        if character in _invisible() or not (character.isprintable() or character in _SPACES)
    )


def joins(text: str, place: int) -> bool:
    """Return whether the joiner at this place stands between what it joins: letters of such scripts, or emoji."""
    before, after = text[max(0, place - 3) : place], text[place + 1 : place + 2]
    if text[place] == _ZERO_WIDTH_JOINER and _is_in(after, _PICTOGRAPHS):
        return _is_in(_without_style(before)[-1:], _PICTOGRAPHS)
    if text[place] == _ZERO_WIDTH_JOINER and _is_joined_letter(before[-1:]) and _is_virama(before[-1]):
        # A half letter, or a chillu of Malayalam, which ends words too.
        return True
    return _is_joined_letter(before[-1:]) and _is_joined_letter(after)


def _is_virama(character: str) -> bool:
    return unicodedata.combining(character) == _VIRAMA


def _without_style(text: str) -> str:
    while text and _is_in(text[-1], (*_EMOJI_STYLES, *_SKIN_TONES)):
        text = text[:-1]
    return text


def _is_joined_letter(character: str) -> bool:
    return _is_in(character, _SCRIPTS_WITH_JOINERS) and unicodedata.category(character)[0] in "LM"


def _is_in(character: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    return bool(character) and any(first <= ord(character) <= last for first, last in ranges)


@functools.cache
def _invisible() -> frozenset[str]:
    return frozenset(chr(code) for first, last in _INVISIBLE for code in range(first, last + 1))


@functools.cache
def risky_runs(*, is_ascii: bool) -> re.Pattern[str]:
    """A pattern whose one group matches runs of characters that no prompt shows as they are.

    The one for ASCII texts is made at once. The other is made from this Python's own Unicode tables, in some 50 ms:
    a newer Python shows characters that an older one still escapes as unassigned.
    """
    if is_ascii:
        return re.compile(f"([\\x00-\\x1f\\x7f{re.escape(''.join(sorted(_STRUCTURAL)))}]+)")
    flags = _shown()
    basic, beyond = flags[:0x10000], flags[0x10000:]
    risky = sorted(_runs(rb"\x00+", beyond, 0x10000), key=_length)
    shown = sorted(_runs(rb"\x01+", beyond, 0x10000), key=_length)
    told_first = [*_runs(rb"\x00+", basic), (_EMPTY_FROM, sys.maxunicode), *risky[-_RISKY_TOLD_FIRST:]]
    passed_by = [(0, 0xFFFF), *shown[-_SHOWN_TOLD_FIRST:][::-1]]
    return re.compile(f"({_class(told_first)}+|(?!{_class(passed_by)}){_search_tree(sorted(risky))})")


def _length(run: tuple[int, int]) -> int:
    return run[1] - run[0]


def _runs(pattern: bytes, flags: bytes, offset: int = 0) -> Ranges:
    return [(offset + match.start(), offset + match.end() - 1) for match in re.finditer(pattern, flags)]


# One byte for each code point that may be written: 1 where a prompt shows it, else 0.
def _shown() -> bytes:
    shown = bytearray(map(str.isprintable, map(chr, range(_EMPTY_FROM))))
    for space in _SPACES:
        shown[ord(space)] = 1
    for first, last in (*_INVISIBLE, *_EMOJI_STYLES, *_LOOK_ALIKES, *_OVERLAYS):
        if last < _EMPTY_FROM:
            shown[first : last + 1] = bytes(last + 1 - first)
    for code in _disguised():
        shown[code] = 0
    return bytes(shown)


# The code points that are structural, or become so in some normal form. Looked for by blocks, since very few blocks
# hold any.
def _disguised() -> list[int]:
    found: list[int] = []
    for block in range(0, _EMPTY_FROM, 0x100):
        if _is_disguise("".join(map(chr, range(block, block + 0x100)))):
            found += (code for code in range(block, block + 0x100) if _is_disguise(chr(code)))
    return found


def _is_disguise(text: str) -> bool:
    # Composition only joins what decomposition parted, so NFKD shows whatever any of the four forms does.
    return not _STRUCTURAL.isdisjoint(unicodedata.normalize("NFKD", text))


def _class(ranges: Ranges) -> str:
    return "[" + "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges) + "]"


# A pattern for runs within the ranges, by halves: beyond the basic plane `re` looks at one range after another.
def _search_tree(ranges: Ranges) -> str:
    if len(ranges) <= _LEAF_RANGES:
        return _class(ranges) + "+"
    middle = len(ranges) // 2
    upper = _class([(ranges[middle][0], sys.maxunicode)])
    return f"(?:(?!{upper}){_search_tree(ranges[:middle])}|(?={upper}){_search_tree(ranges[middle:])})"


_SEPARATOR: Final = " "
_ESCAPED_SEPARATOR: Final = "\\u0020"
_JOINER: Final = re.compile(f"[{''.join(sorted(JOINERS))}]")

# England, Scotland and Wales: a black flag, the region's letters as tags, and the tag that ends them. Unicode
# recommends no others (UTS 51, emoji-sequences.txt), and any other tags hide what they spell.
_REGIONS: Final = [
    str.translate(name, {ord(each): 0xE0000 + ord(each) for each in name}) for name in ("gbeng", "gbsct", "gbwls")
]
_REGIONAL_FLAG: Final = re.compile(f"(\U0001f3f4(?:{'|'.join(_REGIONS)})\U000e007f)")


def quote(text: str) -> str:
    """The text is one JSON string on one line, with nothing in it that could end, forge or hide anything.

    For prompts, results of tools and whatever else a model reads. Every control, formatting, private, unassigned
    and invisible character, every line break, `< > & " \\ ` and the backtick, whatever looks like an angle bracket
    or becomes one of these when normalised, and every mark that could combine with what stands before it, is
    written as `\\uXXXX`. `json.loads` gives the text back. At most six characters for one, twelve beyond the basic
    plane.
    """
    pieces = risky_runs(is_ascii=text.isascii()).split(text)
    # The separator is never risky, so all runs are escaped in one go and still known apart.
    pieces[1::2] = _escape_all(_SEPARATOR.join(pieces[1::2])).split(_ESCAPED_SEPARATOR) if len(pieces) > 1 else []
    return f'"{"".join(pieces)}"'


def _escape_all(text: str) -> str:
    # UTF-16 units, as in JSON; lone surrogates, which a file's name can hold, as themselves.
    return "\\u" + text.encode("utf-16-be", "surrogatepass").hex("-", 2).replace("-", "\\u")


def visible(text: str) -> str:
    """The text with every hidden character written out, as `\\x1b`, `\\u202e` or `\\U000e0001`.

    For people: terminals, pages, logs. Line breaks count as hidden. Words in any script and emoji stay as they are,
    with the joiners that their writing needs, so this is no protection for prompts.
    """
    if text.isascii() and text.isprintable():
        return text
    pieces = _REGIONAL_FLAG.split(text)
    pieces[::2] = map(_visible, pieces[::2])
    return "".join(pieces)


def _visible(text: str) -> str:
    hidden = hidden_characters(text)
    shown = text.translate({ord(character): _written_out(ord(character)) for character in hidden - JOINERS})
    if hidden.isdisjoint(JOINERS):
        return shown
    return _JOINER.sub(lambda found: found[0] if joins(shown, found.start()) else _written_out(ord(found[0])), shown)


def _written_out(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
