"""The content hash of real folders and real git repositories."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from telic.domain.errors import WorkspaceMissing
from telic.loop import workspace as workspace_module
from telic.loop.workspace import DEFAULT_EXCLUDES, ListedBy, WorkspaceLimits, WorkspaceState, observe_workspace

GIT = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "HOME": "/nonexistent"}


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "protocol.file.allow=always")
    result = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, env=os.environ | GIT, capture_output=True, text=True, check=True
    )
    return result.stdout


def fill(folder: Path) -> None:
    (folder / "src").mkdir()
    (folder / "src" / "main.py").write_text("print(1)\n")
    (folder / "readme").write_text("hello\n")
    (folder / ".gitignore").write_text("*.log\nbuild/\n")


@pytest.fixture
def repository(workspace: Path) -> Path:
    fill(workspace)
    git(workspace, "init", "-q")
    git(workspace, "add", ".")
    git(workspace, "commit", "-qm", "first")
    return workspace


@pytest.fixture
def folder(workspace: Path) -> Path:
    fill(workspace)
    return workspace


async def seen(folder: Path) -> str:
    return (await observe_workspace(folder)).hash


async def changes(folder: Path, change: Callable[[Path], object]) -> bool:
    before = await seen(folder)
    change(folder)
    return await seen(folder) != before


CHANGES: list[tuple[str, Callable[[Path], object]]] = [
    ("a tracked file", lambda folder: (folder / "src" / "main.py").write_text("print(2)\n")),
    ("a new file", lambda folder: (folder / "src" / "new.py").write_text("")),
    ("a renamed file", lambda folder: (folder / "readme").rename(folder / "README")),
    ("a deleted file", lambda folder: (folder / "readme").unlink()),
    ("an executable bit", lambda folder: (folder / "readme").chmod(0o755)),
    ("a link", lambda folder: (folder / "link").symlink_to("readme")),
    ("a link to nowhere", lambda folder: (folder / "link").symlink_to("gone")),
    ("a strange name", lambda folder: (folder / os.fsdecode(b"\xff\n\t\"'")).write_text("x")),
    ("a pipe", lambda folder: os.mkfifo(folder / "pipe")),
]
STILL: list[tuple[str, Callable[[Path], object]]] = [
    ("nothing", lambda folder: None),
    ("a touched file", lambda folder: os.utime(folder / "readme", (1, 1))),
    ("the same written again", lambda folder: (folder / "readme").write_text("hello\n")),
    ("an empty folder", lambda folder: (folder / "empty").mkdir()),
    ("a cache", lambda folder: ((folder / "__pycache__").mkdir(), (folder / "__pycache__" / "x.pyc").write_text("x"))),
]


@pytest.mark.parametrize("change", [change for _, change in CHANGES[:-1]], ids=[name for name, _ in CHANGES[:-1]])
async def test_a_change_changes_the_hash_in_a_repository(repository: Path, change: Callable[[Path], object]) -> None:
    """Git lists no pipes."""
    assert await changes(repository, change)


@pytest.mark.parametrize("change", [change for _, change in CHANGES], ids=[name for name, _ in CHANGES])
async def test_a_change_changes_the_hash_in_a_folder(folder: Path, change: Callable[[Path], object]) -> None:
    assert await changes(folder, change)


@pytest.mark.parametrize("change", [change for _, change in STILL], ids=[name for name, _ in STILL])
async def test_what_is_no_change_does_not(repository: Path, change: Callable[[Path], object]) -> None:
    assert not await changes(repository, change)


@pytest.mark.parametrize("change", [change for _, change in STILL], ids=[name for name, _ in STILL])
async def test_what_is_no_change_does_not_in_a_folder(folder: Path, change: Callable[[Path], object]) -> None:
    assert not await changes(folder, change)


async def test_ignored_files_are_no_change_in_a_repository(repository: Path) -> None:
    assert not await changes(repository, lambda folder: (folder / "agent.log").write_text("busy busy"))
    assert not await changes(repository, lambda folder: (folder / "build").mkdir())
    assert (await observe_workspace(repository)).listed_by is ListedBy.GIT


async def test_staging_and_committing_alone_are_no_change(repository: Path) -> None:
    (repository / "new").write_text("x")
    assert not await changes(repository, lambda folder: git(folder, "add", "new"))
    assert not await changes(repository, lambda folder: git(folder, "commit", "-qm", "again"))
    assert not await changes(repository, lambda folder: git(folder, "commit", "-qm", "words", "--allow-empty"))


async def test_a_state_put_back_has_its_old_hash(repository: Path) -> None:
    before = await seen(repository)
    (repository / "readme").write_text("other\n")
    git(repository, "checkout", "-q", "readme")
    assert await seen(repository) == before


async def test_equal_folders_have_equal_hashes_wherever_they_are(repository: Path, tmp_path: Path) -> None:
    shutil.copytree(repository, tmp_path / "copy", symlinks=True)
    assert await seen(repository) == await seen(tmp_path / "copy")


async def test_a_folder_of_a_repository_is_looked_at_alone(repository: Path) -> None:
    before = await seen(repository / "src")
    (repository / "readme").write_text("other\n")
    assert await seen(repository / "src") == before
    assert await changes(repository / "src", lambda folder: (folder / "main.py").write_text("print(3)\n"))


async def test_a_folder_that_its_repository_ignores_is_walked(repository: Path) -> None:
    (repository / "build").mkdir()
    assert await changes(repository / "build", lambda folder: (folder / "out").write_text("x"))
    assert (await observe_workspace(repository / "build")).listed_by is ListedBy.WALK


async def test_repositories_inside_are_looked_into(repository: Path, tmp_path: Path) -> None:
    """A submodule, which git lists as one entry, and a clone that nobody added."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "file").write_text("x")
    git(other, "init", "-q")
    git(other, "add", ".")
    git(other, "commit", "-qm", "first")
    git(repository, "submodule", "--quiet", "add", str(other), "module")
    git(repository, "clone", "-q", str(other), "clone")
    for name in ("module", "clone"):
        assert await changes(repository, lambda folder, name=name: (folder / name / "file").write_text("y"))


async def test_the_order_in_which_a_disk_lists_files_does_not_matter(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await seen(folder)
    listed = workspace_module._entries
    monkeypatch.setattr(
        workspace_module, "_entries", lambda below: sorted(listed(below), key=lambda each: each.name)[::-1]
    )
    assert await seen(folder) == before
    monkeypatch.setattr(workspace_module, "_entries", lambda below: sorted(listed(below), key=lambda each: each.name))
    assert await seen(folder) == before


@pytest.mark.parametrize("listed_by", list(ListedBy))
async def test_links_are_not_followed(workspace: Path, tmp_path: Path, listed_by: ListedBy) -> None:
    """Neither out of the workspace nor round and round in it."""
    fill(workspace)
    if listed_by is ListedBy.GIT:
        git(workspace, "init", "-q")
    (tmp_path / "outside").mkdir()
    (workspace / "out").symlink_to(tmp_path / "outside")
    (workspace / "round").symlink_to(".")
    assert not await changes(workspace, lambda folder: (tmp_path / "outside" / "file").write_text("x"))
    state = await observe_workspace(workspace)
    assert (state.files, state.listed_by) == (5, listed_by)


async def test_a_broken_repository_is_walked(folder: Path) -> None:
    (folder / ".git").write_text("gitdir: /nowhere")
    assert (await observe_workspace(folder)).listed_by is ListedBy.WALK
    assert await changes(folder, lambda folder: (folder / "readme").write_text("other\n"))


async def test_a_machine_without_git_walks(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    state = await observe_workspace(repository)
    assert state.listed_by is ListedBy.WALK
    assert state.files == 3


async def test_a_repositorys_settings_run_nothing(repository: Path) -> None:
    """An agent may write `.git/config`; looking at its work must not run what it wrote there."""
    trap = repository.parent / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {repository.parent}/sprung\n")
    trap.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(trap))
    git(repository, "config", "core.hooksPath", str(repository.parent))
    await observe_workspace(repository)
    assert not (repository.parent / "sprung").exists()
    git(repository, "status")
    assert (repository.parent / "sprung").exists()


async def test_the_environment_cannot_point_elsewhere(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await observe_workspace(repository)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert await observe_workspace(repository) == before


async def test_excludes_leave_out_names_and_paths(repository: Path) -> None:
    async def with_store(*excludes: str) -> WorkspaceState:
        return await observe_workspace(repository, excludes=DEFAULT_EXCLUDES + excludes)

    before = await seen(repository)
    (repository / "goals.db").write_text("x")
    (repository / "goals.db-wal").write_text("x")
    assert (await with_store("goals.db*")).hash == before
    assert (await with_store("goals.db")).hash != before
    assert (await with_store("src/*.py", "goals.db*")).files == 2


async def test_beyond_the_limit_of_bytes_size_and_time_stand_for_content(folder: Path) -> None:
    limits = WorkspaceLimits(max_bytes=5_000)
    (folder / "large").write_bytes(b"x" * 10_000)
    first = await observe_workspace(folder, limits=limits)
    assert (first.stood_in, first.files) == (1, 4)
    assert first.content_bytes < 100
    (folder / "large").write_bytes(b"y" * 10_000)
    os.utime(folder / "large", (1, 1))
    assert (await observe_workspace(folder, limits=limits)).hash != first.hash


async def test_beyond_the_limit_of_files_size_and_time_stand_for_content(folder: Path) -> None:
    """So a change of the last of very many files is seen as well, and so is a new one."""
    for number in range(50):
        (folder / f"file-{number:02}").write_text("x")
    limits = WorkspaceLimits(max_files=10)
    first = await observe_workspace(folder, limits=limits)
    assert (first.files, first.stood_in) == (53, 43)
    assert await observe_workspace(folder, limits=limits) == first
    (folder / "file-49").write_text("longer")
    second = await observe_workspace(folder, limits=limits)
    (folder / "zz").write_text("new")
    third = await observe_workspace(folder, limits=limits)
    assert len({first.hash, second.hash, third.hash}) == 3


async def test_a_commit_alone_is_another_state_of_the_same_files(repository: Path) -> None:
    """Also on a branch of its own, and in a worktree of the repository."""
    (repository / "new").write_text("x")
    git(repository, "add", "-A")
    before = await observe_workspace(repository)
    git(repository, "commit", "-q", "-m", "all")
    after = await observe_workspace(repository)
    assert (after.hash, after.commits_hash == before.commits_hash) == (before.hash, False)
    assert after.progress_hash != before.progress_hash
    assert await observe_workspace(repository) == after
    worktree = repository.parent / "worktree"
    git(repository, "worktree", "add", "-q", "-b", "other", str(worktree))
    first = await observe_workspace(worktree)
    git(worktree, "commit", "-q", "--allow-empty", "-m", "more")
    assert (await observe_workspace(worktree)).progress_hash != first.progress_hash


async def test_packed_branches_are_the_same_commits_only_where_they_stay(repository: Path) -> None:
    git(repository, "pack-refs", "--all")
    before = await observe_workspace(repository)
    git(repository, "commit", "-q", "--allow-empty", "-m", "more")
    assert (await observe_workspace(repository)).progress_hash != before.progress_hash


@pytest.mark.parametrize("is_submodule", [True, False])
async def test_what_a_repository_inside_ignores_is_no_change(repository: Path, is_submodule: bool) -> None:
    """A submodule's build is as little progress as the repository's own; its commits and its files are."""
    inner = repository / "inner"
    if is_submodule:
        source = repository.parent / "source"
        source.mkdir()
        git(source, "init", "-q")
        (source / "file").write_text("x")
        git(source, "add", "-A")
        git(source, "commit", "-q", "-m", "all")
        git(repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(source), "inner")
    else:
        inner.mkdir()
        git(inner, "init", "-q")
    (inner / ".gitignore").write_text("*.o\n")
    (inner / "file").write_text("one")
    before = await observe_workspace(repository)
    (inner / "made.o").write_text("built")
    assert await observe_workspace(repository) == before
    (inner / "file").write_text("two")
    changed = await observe_workspace(repository)
    assert changed.hash != before.hash
    git(inner, "add", "-A")
    git(inner, "commit", "-q", "-m", "all")
    assert (await observe_workspace(repository)).progress_hash != changed.progress_hash


async def test_an_unreadable_file_is_stood_in_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root reads everything, so the refusal is made here."""
    really_open = os.open

    def refuse(path: os.PathLike[str] | str, *arguments: int) -> int:
        if Path(path).name == "readme":
            raise PermissionError
        return really_open(path, *arguments)

    monkeypatch.setattr("telic.loop.workspace.os.open", refuse)
    assert (await observe_workspace(folder)).stood_in == 1


async def test_a_vanished_workspace_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "gone", tmp_path / "file"):
        with pytest.raises(WorkspaceMissing, match=path.name):
            await observe_workspace(path)
