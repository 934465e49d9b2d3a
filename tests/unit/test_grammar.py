"""What a person types after `/goal`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telic import Budget, Criterion, InvalidInput
from telic.errors import InvalidCommand, InvalidNumber, TextTooLong
from telic.services.chat.grammar import MAX_LINE_CHARS, GoalCommand, is_goal_command, parse, write
from telic.services.chat.grammar_words import OPTIONS_OF, TAKES_VALUE, USAGE, VERBS, Verb

ID = "0193a2b4-c5d6"


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("/goal", GoalCommand(Verb.STATUS)),
        ("  /GOAL \n", GoalCommand(Verb.STATUS)),
        ("\ufeff/goal", GoalCommand(Verb.STATUS)),
        ("/goal@telic_bot list", GoalCommand(Verb.LIST)),
        ("/goal Status", GoalCommand(Verb.STATUS)),
        (f"/goal status {ID.upper()}", GoalCommand(Verb.STATUS, goal_id=ID)),
        ("/goal\u00a0pause", GoalCommand(Verb.PAUSE)),
        ("/goal stop", GoalCommand(Verb.PAUSE)),
        (f'/goal pause {ID} --note "for now"', GoalCommand(Verb.PAUSE, goal_id=ID, note="for now")),
        (f'/goal pause --note "for now" {ID}', GoalCommand(Verb.PAUSE, goal_id=ID, note="for now")),
        ("/goal pause --note later", GoalCommand(Verb.PAUSE, note="later")),
        ("/goal pause --note=later", GoalCommand(Verb.PAUSE, note="later")),
        ("/goal resume --auto --budget 4M", GoalCommand(Verb.RESUME, limits=("4M",), is_auto=True)),
        (f"/goal resume --replace={ID}", GoalCommand(Verb.RESUME, may_replace=True, replaced_id=ID)),
        ("/goal complete", GoalCommand(Verb.COMPLETE)),
        (f"/goal clear {ID}", GoalCommand(Verb.CLEAR, goal_id=ID)),
        ("/goal list --cursor 17", GoalCommand(Verb.LIST, cursor="17")),
        ("/goal history", GoalCommand(Verb.HISTORY)),
        ("/goal help", GoalCommand(Verb.HELP)),
        ("/goal pause --help", GoalCommand(Verb.HELP)),
        ("/goal budget", GoalCommand(Verb.BUDGET)),
        ("/goal budget 4M $5 40turns", GoalCommand(Verb.BUDGET, limits=("4M", "$5", "40turns"))),
        (f"/goal budget {ID} none", GoalCommand(Verb.BUDGET, goal_id=ID, limits=("none",))),
        ("/goal budget 4M 01932233", GoalCommand(Verb.BUDGET, goal_id="01932233", limits=("4M",))),
        ("/goal budget 20000000", GoalCommand(Verb.BUDGET, limits=("20000000",))),
        ("/goal budget --budget 4M --turns 3", GoalCommand(Verb.BUDGET, limits=("4M", "3turns"))),
        ("/goal edit -- Move it all", GoalCommand(Verb.EDIT, text="Move it all")),
        (f"/goal edit {ID} Move it all", GoalCommand(Verb.EDIT, goal_id=ID, text="Move it all")),
        (f"/goal edit {ID} -- --all", GoalCommand(Verb.EDIT, goal_id=ID, text="--all")),
        ("/goal edit --no-criteria", GoalCommand(Verb.EDIT, drops_criteria=True)),
        ("/goal edit --check true", GoalCommand(Verb.EDIT, criteria=(Criterion.command(["true"]),))),
    ],
)
def test_a_command_is_understood(line: str, meant: GoalCommand) -> None:
    """Case, white space and a bot's name do not matter; ids and options are where people put them."""
    assert parse(line) == meant


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("/goal Move billing", "Move billing"),
        ("/goal create Move billing", "Move billing"),
        ("/goal new Move billing", "Move billing"),
        ("/goal create clear the cache", "clear the cache"),
        ("/goal create pause", "pause"),
        ("/goal -- pause", "pause"),
        ("/goal — pause", "pause"),
        ("/goal\nline one\n\n    line  two", "line one\n\n    line  two"),
        ("/goal create -- \n  indented \n", "\n  indented \n"),
        ("/goal create --\r\nnext line", "next line"),
        ("/goal create -- --budget 2M", "--budget 2M"),
        ("/goal keep -- this — and – that - here", "keep -- this — and – that - here"),
        ('/goal don\'t "stop" it\'s 5" wide', 'don\'t "stop" it\'s 5" wide'),
        ("/goal run `git log --oneline` twice", "run `git log --oneline` twice"),
        ("/goal run ```\ngit log --oneline\n``` twice", "run ```\ngit log --oneline\n``` twice"),
        ('/goal make "tool --verbose" the default', 'make "tool --verbose" the default'),
        ("/goal make “tool --verbose” the default", "make “tool --verbose” the default"),
        ("/goal clean up the caches", "clean up the caches"),
        ("/goal cut costs by -5 %, -really", "cut costs by -5 %, -really"),
        ("/goal refactor", "refactor"),
        ("/goal say it —quietly", "say it —quietly"),
    ],
)
def test_a_text_is_kept_as_typed(line: str, text: str) -> None:
    """Quotes, dashes, newlines and inner white space are the author's; behind `--` everything is."""
    assert parse(line) == GoalCommand(Verb.CREATE, text=text)


OPTIONS = GoalCommand(
    Verb.CREATE,
    text="Fix it",
    limits=("2M", "$5", "40turns"),
    criteria=(
        Criterion.command(["pytest", "-q", "-k", "a b"]),
        Criterion.judge('Is "it" clear?'),
        Criterion.approval("Ship it?"),
    ),
    is_auto=True,
    may_replace=True,
)


@pytest.mark.parametrize(
    "line",
    [
        "/goal Fix it --budget 2M --budget $5 --turns 40 --check \"pytest -q -k 'a b'\""
        ' --judge "Is \\"it\\" clear?" --approve "Ship it?" --auto --replace',
        "/goal create --budget=2M --budget=$5 --turns=40 --check='pytest -q -k \"a b\"'"
        " --judge='Is \"it\" clear?' --approve='Ship it?' --auto --replace Fix it",
        "/goal --BUDGET 2M --Budget '$5' --turns \"40\" Fix it --check \"pytest -q -k 'a b'\""
        ' --judge \'Is "it" clear?\' --approve "Ship it?" --auto --replace',
        "/goal —budget 2M —budget $5 –turns 40 Fix it —check “pytest -q -k ‘a b’”"
        ' —judge “Is "it" clear?” —approve ‘Ship it?’ —auto —replace',
    ],
)
def test_options_stand_before_or_after_the_text(line: str) -> None:
    """In any order, with `=` or a space, in straight or curly quotes, with the dashes that phones make of `--`."""
    assert parse(line) == OPTIONS


@pytest.mark.parametrize("text", ['cut 5"', 'say "so\n', "it's", "a ` b", "“so", '"a" "b', "(`--x`) `y"])
def test_a_lone_quote_hides_no_option(text: str) -> None:
    """An inch mark, an apostrophe or a quote that its line does not close is a character like others."""
    command = parse(f'/goal {text} --turns 4 --check "true"')
    assert command.text == text.strip()
    assert (command.limits, command.criteria) == (("4turns",), (Criterion.command(["true"]),))


def test_a_check_is_repaired_only_where_a_chat_program_broke_it() -> None:
    """Long options inside a smart check are mended; in straight quotes the command is taken as it is."""
    assert parse("/goal x —check “pytest —maxfail=1 –v”").criteria == (
        Criterion.command(["pytest", "--maxfail=1", "--v"]),
    )
    assert parse('/goal x --check "echo —a ’"').criteria == (Criterion.command(["echo", "—a", "’"]),)


@pytest.mark.parametrize(
    ("line", "says", "instead"),
    [
        ("/goal puase", "did you mean pause?", ("/goal pause", "/goal create -- puase")),
        (f"/goal puase {ID}", "did you mean pause?", (f"/goal pause {ID}", f"/goal create -- puase {ID}")),
        ("/goal Stauts", "did you mean status?", ("/goal status", "/goal create -- Stauts")),
        ("/goal pause!", "did you mean pause?", ("/goal pause", "/goal create -- pause!")),
        ("/goal --auto resume", "did you mean resume?", ("/goal resume", "/goal create -- resume")),
        ("/goal budgte 4M", "did you mean budget?", ("/goal budget 4M", "/goal create -- budgte 4M")),
        ("/goal delete", "did you mean clear?", ("/goal clear", "/goal create -- delete")),
        ("/goal done", "did you mean complete?", ("/goal complete", "/goal create -- done")),
        (f"/goal {ID}", "did you mean status?", (f"/goal status {ID}", f"/goal create -- {ID}")),
        ("/goal clear the cache", "clear is a command", ("/goal clear", "/goal create clear the cache")),
        ("/goal complete it --turns 4", "complete is", ("/goal complete", "/goal create complete it --turns 4")),
        ("/goal stop using it", "pause is a command", ("/goal pause", "/goal create stop using it")),
        ("/goal list all files", "list is a command", ("/goal list", "/goal create list all files")),
        ("/goal help me", "help is a command", ("/goal help", "/goal create help me")),
        ("/goal clear 0193", "8 or more", ("/goal clear", "/goal create clear 0193")),
        ("/goal edit the readme", "edit is a command", ("/goal edit -- the readme", "/goal create edit the readme")),
        ("/goal budget planning", "budget is a command", ("/goal budget", "/goal create budget planning")),
        ("/goal create", "text is missing", ("/goal create TEXT",)),
        ("/goal new --auto", "text is missing", ("/goal create TEXT",)),
        ("/goal --budget 2M", "text is missing", ("/goal create TEXT",)),
        ("/goal create -- \n", "text is missing", ("/goal create TEXT",)),
        ("/goal edit", "an edit needs", ("/goal edit [ID] -- TEXT",)),
        ("/goal complete --auto", "complete takes --note, not --auto", ("/goal complete [ID]",)),
        ("/goal list --note x", "list takes --cursor, not --note", ("/goal list",)),
        ("/goals", "no /goal command", ("/goal help",)),
        ("hello", "no /goal command", ("/goal help",)),
        ("/goal fix --bugdet 2M", "did you mean --budget?", ()),
        ("/goal fix —bugdet 2M", "did you mean --budget?", ()),
        ("/goal fix -budget 2M", "write --budget", ()),
        ("/goal use --frobnicate", "put -- in front", ()),
        ("/goal --frobnicate -- x", "is no option", ()),
        ("/goal fix --budget 2M the tests", "before the text or after it", ()),
        ('/goal cut 5" --turns 4 off a 6" board', "before the text or after it", ()),
        ('/goal say "so\n--turns 4 it" is', "before the text or after it", ()),
        ("/goal fix --judge is it", "a value of several words goes in quotes", ()),
        ("/goal x --judge good?", "put the question in quotes", ()),
        ('/goal x --approve " "', "the question is empty", ()),
        ('/goal x --check ""', "--check needs a command", ()),
        ("/goal x --check \"it's\"", "cannot be read as a command", ()),
        ('/goal x --check "pytest', "is not closed", ()),
        ('/goal x --check "pytest"-q', "a space must follow", ()),
        ("/goal x --budget", "--budget needs a value", ()),
        ("/goal x --check --auto", "--check needs a value", ()),
        ("/goal x --auto=yes", "--auto takes no value", ()),
        ("/goal x --replace=abc", "is no id", ()),
        ("/goal pause --note a --note b", "given twice", ()),
        ("/goal pause --note waiting for it", "goes in quotes", ()),
        ("/goal edit --check x --no-criteria", "leave it out", ()),
    ],
)  # fmt: skip
def test_a_mistake_is_answered_with_how_to_say_it(line: str, says: str, instead: tuple[str, ...]) -> None:
    """What was wrong, and whole commands to send instead, each of which is understood."""
    with pytest.raises(InvalidCommand, match=None) as caught:
        parse(line)
    assert says in str(caught.value)
    assert caught.value.suggestions == instead
    for suggestion in instead:
        if "TEXT" not in suggestion and "[ID]" not in suggestion:
            parse(suggestion)


@pytest.mark.parametrize("amount", ["flag", "-5", "0", "1.5", "$", "5x", "9" * 400, "2M 3M"])
def test_a_bad_amount_is_a_bad_number(amount: str) -> None:
    """Nothing is guessed, whether in an option or a command."""
    with pytest.raises(InvalidNumber):
        parse(f'/goal x --budget "{amount}"')


@pytest.mark.parametrize(
    "line", ["/goal x --turns 4k", "/goal x --turns four", "/goal x --turns 0", "/goal budget 1k 2k"]
)
def test_a_bad_count_is_a_bad_number(line: str) -> None:
    """Turns are whole numbers; the same budget is not given twice."""
    with pytest.raises(InvalidNumber):
        parse(line)


def test_limits_are_laid_over_a_budget() -> None:
    """What is not named stays; `none` lifts all."""
    base = Budget(tokens=5, turns=7)
    assert parse("/goal budget 2k").budget(base) == Budget(tokens=2000, turns=7)
    assert parse("/goal budget none").budget(base) == Budget()


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("/goal", True),
        (" /Goal x", True),
        ("/goal@bot", True),
        ("/goal\tx", True),
        ("/goals", False),
        ("a /goal", False),
    ],
)
def test_lines_for_goal_are_told_from_others(line: str, meant: bool) -> None:
    """A program asks before it hands a line over."""
    assert is_goal_command(line) is meant


def test_every_command_and_option_is_described() -> None:
    """The help names each command; each option belongs to one at least; no usage line is a lie."""
    assert set(USAGE) == set(Verb) == set(OPTIONS_OF)
    assert set().union(*OPTIONS_OF.values()) | {"help"} == set(TAKES_VALUE)
    assert set(VERBS.values()) == set(Verb)


anything = st.text(max_size=60)
pieces = st.lists(
    st.one_of(
        st.sampled_from([*VERBS, *(f"--{name}" for name in TAKES_VALUE), "--", "—", "—check", "“", "”", '"', "'", "`",
                         "```", "\\", "=", "2M", "$5", ID, "\n", "--x", "-budget", "puase"]),
        anything,
    ),
    max_size=8,
)  # fmt: skip


@given(pieces, st.sampled_from(["", " ", "\n"]))
def test_no_line_crashes_the_parser(parts: list[str], separator: str) -> None:
    """Every line is a command or a typed error; a command reads back as itself."""
    line = "/goal " + separator.join(parts)
    try:
        command = parse(line)
    except InvalidInput:
        return
    assert parse(write(command)) == command


@given(st.text(min_size=1).filter(lambda text: bool(text.strip())))
def test_a_verbatim_text_is_kept_to_the_last_character(text: str) -> None:
    """Behind `--`, whatever it is."""
    assert parse(f"/goal create --auto -- {text}").text == text
    assert parse(f"/goal -- {text}").text == text
    assert parse(f"/goal edit {ID} -- {text}").text == text


words = st.text(st.characters(exclude_categories=["Cs", "Z", "Cc"], exclude_characters='-–—―`"“'), min_size=1)


@given(st.lists(words, min_size=3), st.lists(st.sampled_from([" ", "\n", "  ", "\n\n    ", "\t"])))
def test_a_plain_text_is_kept_between_options(parts: list[str], spaces: list[str]) -> None:
    """Options before and after it take nothing from it, and leave nothing in it."""
    text = parts[0] + "".join(
        (spaces[number % len(spaces)] if spaces else " ") + part for number, part in enumerate(parts[1:])
    )
    assert parse(f"/goal create --budget 2M {text} --auto").text == text


criteria = st.lists(
    st.one_of(
        st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1)
        .filter(lambda argv: bool(argv[0].strip()))
        .map(Criterion.command),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
        .filter(lambda question: bool(question.strip()))
        .map(Criterion.judge),
    ),
    max_size=3,
)


@given(criteria, st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]))))
def test_values_survive_their_quotes(conditions: list[Criterion], note: str | None) -> None:
    """Any command, question and note can be typed."""
    created = GoalCommand(Verb.CREATE, text="x", criteria=tuple(conditions))
    assert parse(write(created)) == created
    paused = GoalCommand(Verb.PAUSE, note=note)
    assert parse(write(paused)) == paused


@pytest.mark.parametrize("filler", ['"a ', "` ", "😀“ ", "`" * 3 + " ", "--- ", "a", " ", '"a\n'])
def test_a_long_line_is_read_in_a_moment(filler: str) -> None:
    """Also with unclosed quotes by the ten thousand; a longer line is refused."""
    line = "/goal x " + filler * ((MAX_LINE_CHARS - 20) // len(filler)) + " end"
    parse(line)
    with pytest.raises(TextTooLong):
        parse(line + " " * MAX_LINE_CHARS)
