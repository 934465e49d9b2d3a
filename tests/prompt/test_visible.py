"""What people see: words of every script and emoji as they are, and nothing hidden."""

import pytest

from telic.prompt import quote, visible

SHOWN = [
    "می\u200cخواهم",  # Persian
    "نمی\u200cدانم چه می\u200cگوید",
    "क\u094d\u200dषत\u094dर\u093fय",  # Hindi, a half form
    "র\u200d\u09cd\u09afাব",  # Bengali
    "ශ\u0dca\u200dරී",  # Sinhala
    "👨\u200d👩\u200d👧",
    "👩🏽\u200d💻",
    "❤\ufe0f\u200d🔥",
    "🏳\ufe0f\u200d🌈",
    "🏃🏽\u200d♀\ufe0f\u200d➡\ufe0f",
    "ന\u0d4d\u200d",  # Malayalam, a chillu at the end of a word
    "അവന\u0d4d\u200d വന\u0d4dനു",
    "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # the flag of England
    "go \U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f!",
    "€5 and ½",
]
HIDDEN = [
    "a\u200cb",
    "1\u200d2",
    "می\u200c\u200cخواهم",
    "می\u200c",
    "\u200cمی",
    "می\u200c خواهم",
    "می\u200cx",
    "👨\u200d",
    "👨\u200da",
    "a\u200d👨",
    "👨\u200c👩",
    "می\u202eخواهم",
    "a\u200bb",
    "\U000e0067x",
    "x\u0d4d\u200c",
    "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067",
    "\U0001f3f4\U000e0068\U000e0069\U000e007f",
    "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f\U000e0067",
]


@pytest.mark.parametrize("text", SHOWN, ids=ascii)
def test_joined_letters_and_emoji_are_shown_as_they_are(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize("text", HIDDEN, ids=ascii)
def test_what_joins_nothing_is_written_out(text: str) -> None:
    shown = visible(text)
    assert shown != text
    assert "\\" in shown


@pytest.mark.parametrize("text", [each for each in SHOWN if "\u200c" in each or "\u200d" in each], ids=ascii)
def test_a_prompt_shows_no_joiner(text: str) -> None:
    """What a person may read is no licence for a prompt."""
    assert not {"\u200c", "\u200d"} & set(quote(text))
