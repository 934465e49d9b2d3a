"""One table says what each error means to a caller."""

import pytest

import telic
from telic.domain import errors
from telic.domain.errors import GoalError, InvalidText, StoreError
from telic.services.next_steps import next_for_model, next_on_screen
from telic.services.outcomes import OUTCOMES, ExitCode, outcome_of
from telic.testing import temporary_store

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GoalError)]
CODES = [kind.code for kind in KINDS if kind is not GoalError]


def test_every_error_has_one_row() -> None:
    """And no code stands for two errors."""
    assert len(set(CODES)) == len(CODES)
    assert set(OUTCOMES) == set(CODES)


def test_only_a_store_says_that_nothing_was_written() -> None:
    """Other errors change nothing by themselves; what a store says of it depends on where it failed."""
    for kind in KINDS:
        advice = outcome_of(kind.__new__(kind)).next_in_chat
        assert advice
        assert issubclass(kind, StoreError) or "written" not in advice


def test_what_may_be_repeated_says_so_to_every_caller() -> None:
    """By its exit code and by its HTTP status alike."""
    for kind in KINDS:
        outcome = outcome_of(kind.__new__(kind))
        is_for_later = outcome.exit_code in (ExitCode.RETRYABLE, ExitCode.OUTCOME_UNKNOWN)
        assert is_for_later == kind.retryable, kind
        assert not kind.retryable or outcome.http_status == 503, kind


def test_an_error_of_a_newer_kind_is_a_failure() -> None:
    class Newer(telic.GoalError):
        code = "newer"

    assert outcome_of(Newer("?")).exit_code is ExitCode.STORE_FAILED
    assert outcome_of(Newer("?")).http_status == 500


def test_the_step_after_a_text_that_cannot_be_kept_fits_each_of_them() -> None:
    """An id that is too short has no character to leave out."""
    with temporary_store() as store:
        for call in (lambda: store.find("zzz"), lambda: store.create("a\0b")):
            with pytest.raises(InvalidText) as refused:
                call()
            for step in (next_for_model(refused.value), next_on_screen(refused.value)):
                assert step.startswith("put right what is named")
