"""Command criteria, run for real: what passes, what fails, and what could not be checked."""

import asyncio
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from telic.domain.criteria import Criterion
from telic.domain.verdict import MAX_OUTPUT_TAIL_CHARS, CheckError, Outcome, Verdict
from telic.loop.verification.commands import check_command
from tests.verification.asking import child_of, is_running


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


async def check(workspace: Path, criterion: Criterion) -> Verdict:
    verdict = await check_command(criterion, index=2, revision=7, workspace=workspace)
    assert (verdict.index, verdict.revision, verdict.criterion_hash) == (2, 7, criterion.content_hash)
    return verdict


async def test_exit_code_0_passes_with_its_evidence(workspace: Path) -> None:
    """The end of both streams, the hash of all of it, and how long it took."""
    verdict = await check(
        workspace, Criterion.command(python("import sys; print('fine'); print('x', file=sys.stderr)"))
    )
    assert (verdict.outcome, verdict.exit_code) == (Outcome.PASSED, 0)
    assert sorted(verdict.output_tail.split()) == ["fine", "x"]
    assert verdict.output_sha256 == sha256(verdict.output_tail.encode()).hexdigest()
    assert verdict.duration_microseconds > 1_000


async def test_another_exit_code_fails(workspace: Path) -> None:
    verdict = await check(workspace, Criterion.command(python("print('2 failed'); raise SystemExit(5)")))
    assert (verdict.outcome, verdict.exit_code, verdict.error) == (Outcome.FAILED, 5, None)
    assert verdict.output_tail == "2 failed\n"


async def test_the_end_of_a_long_output_is_kept(workspace: Path) -> None:
    """The result stands at the end, and the hash is of everything."""
    verdict = await check(workspace, Criterion.command(python("print('é' * 3_000_000 + 'the end', end='')")))
    assert len(verdict.output_tail) == MAX_OUTPUT_TAIL_CHARS
    assert verdict.output_tail.endswith("éééthe end")
    assert verdict.output_sha256 == sha256(("é" * 3_000_000 + "the end").encode()).hexdigest()


async def test_output_that_is_no_text_is_kept_as_far_as_it_is(workspace: Path) -> None:
    code = r"import sys; sys.stdout.buffer.write(b'a\0b\xffc')"
    assert (await check(workspace, Criterion.command(python(code)))).output_tail == "ab\ufffdc"


async def test_no_shell_reads_the_arguments(workspace: Path) -> None:
    verdict = await check(workspace, Criterion.command(["echo", "a; touch injected", "$HOME", "`id`"]))
    assert verdict.output_tail == "a; touch injected $HOME `id`\n"
    assert not (workspace / "injected").exists()


async def test_a_shell_reads_the_line_where_asked_for(workspace: Path) -> None:
    verdict = await check(workspace, Criterion.command(["echo one | tr a-z A-Z && exit 3"], shell=True))
    assert (verdict.outcome, verdict.exit_code, verdict.output_tail) == (Outcome.FAILED, 3, "ONE\n")


async def test_it_runs_in_its_folder(workspace: Path) -> None:
    (workspace / "back end").mkdir()
    verdict = await check(workspace, Criterion.command(["pwd"], folder="back end"))
    assert verdict.output_tail.strip() == str((workspace / "back end").resolve())
    (workspace / "back end" / "check.sh").write_text("#!/bin/sh\nexit 0\n")
    (workspace / "back end" / "check.sh").chmod(0o755)
    assert (await check(workspace, Criterion.command(["./check.sh"], folder="back end"))).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("criterion", "error"),
    [
        (Criterion.command(["no-such-command-anywhere"]), CheckError.NOT_FOUND),
        (Criterion.command(["./gone.sh"]), CheckError.NOT_FOUND),
        (Criterion.command(["./plain.txt"]), CheckError.NOT_EXECUTABLE),
        (Criterion.command(["./binary"]), CheckError.NOT_EXECUTABLE),
        (Criterion.command(["./orphan"]), CheckError.NOT_FOUND),
        (Criterion.command(["true"] + ["y" * 4_000] * 1_000), CheckError.NOT_STARTED),
        (Criterion.command(["no-such-command-anywhere"], shell=True), CheckError.NOT_FOUND),
        (Criterion.command(["./plain.txt"], shell=True), CheckError.NOT_EXECUTABLE),
        (Criterion.command(["env", "no-such-command-anywhere"]), CheckError.NOT_FOUND),
        (Criterion.command(python("import os; os.kill(os.getpid(), 9)")), CheckError.KILLED),
        (Criterion.command(["kill -9 $$"], shell=True), CheckError.KILLED),
        (Criterion.command(["sh -c 'kill -9 $$'; exit $?"], shell=True), CheckError.KILLED),
        (Criterion.command(["sleep", "60"], timeout_seconds=1), CheckError.TIMED_OUT),
        (Criterion.command(["true"], folder="gone"), CheckError.FOLDER_MISSING),
        (Criterion.command(["true"], folder="plain.txt"), CheckError.FOLDER_MISSING),
        (Criterion.command(["true"], folder="loop"), CheckError.FOLDER_MISSING),
        (Criterion.command(["true"], folder="away"), CheckError.FOLDER_OUTSIDE),
    ],
    ids=lambda value: value.title[:40] if isinstance(value, Criterion) else None,
)
async def test_what_cannot_be_run_is_an_error_and_no_failure(
    workspace: Path, criterion: Criterion, error: CheckError
) -> None:
    (workspace / "plain.txt").write_text("no program")
    (workspace / "binary").write_bytes(b"\x7fELF nothing")
    (workspace / "binary").chmod(0o755)
    (workspace / "orphan").write_text("#!/no/such/interpreter\n")
    (workspace / "orphan").chmod(0o755)
    (workspace / "loop").symlink_to("loop")
    (workspace / "away").symlink_to(workspace.parent)
    verdict = await check(workspace, criterion)
    assert (verdict.outcome, verdict.error) == (Outcome.ERROR, error), verdict.detail
    assert verdict.detail


async def test_a_workspace_that_vanished_is_an_error(tmp_path: Path) -> None:
    verdict = await check(tmp_path / "gone", Criterion.command(["true"]))
    assert verdict.error is CheckError.FOLDER_MISSING


async def test_a_timed_out_check_leaves_its_output_and_no_process(workspace: Path) -> None:
    line = "echo begun; sleep 3600 & echo $! > child; wait"
    verdict = await check(workspace, Criterion.command([line], shell=True, timeout_seconds=1))
    assert (verdict.error, verdict.exit_code, verdict.output_tail) == (CheckError.TIMED_OUT, None, "begun\n")
    assert not is_running(workspace / "child")


async def test_a_cancelled_check_leaves_no_process(workspace: Path) -> None:
    line = "sleep 300 & echo $! > child; wait"
    task = asyncio.create_task(check(workspace, Criterion.command([line], shell=True)))
    child = await child_of(workspace)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_running(child)


async def test_the_environment_is_what_is_given(workspace: Path) -> None:
    criterion = Criterion.command(["/bin/sh", "-c", "echo $WORD"])
    verdict = await check_command(criterion, index=0, revision=1, workspace=workspace, environment={"WORD": "given"})
    assert verdict.output_tail == "given\n"
