"""Files are there whole or not at all, through every kill; what nobody speaks of is taken away."""

import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

from services.file_store import FileStore, FileTooLarge, Reaper
from services.storage import refusal
from tests.storage_faults import small_disk

DATA = b"evidence" * 1000
SHA = hashlib.sha256(DATA).hexdigest()
CALLS = ("rename", "fsync", "write", "openat")
"""What a kill comes before: the system's calls while a file is kept."""


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "files", 1 << 20)


def keep(store: FileStore, data: bytes = DATA) -> str:
    draft = store.receive(io.BytesIO(data))
    store.keep(draft)
    return draft.sha256


def files(store: FileStore) -> set[str]:
    return set(store.names())


def drafts(store: FileStore) -> list[Path]:
    return list(store.incoming.iterdir()) if store.incoming.exists() else []


def test_a_file_lies_under_its_content_for_its_owners_eyes(store: FileStore) -> None:
    assert keep(store) == SHA
    path = store.path(SHA)
    assert path.read_bytes() == DATA
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert drafts(store) == []


def test_the_same_content_is_kept_once(store: FileStore) -> None:
    keep(store)
    keep(store)
    assert files(store) == {SHA}


def test_a_file_beyond_the_most_leaves_nothing(store: FileStore) -> None:
    with pytest.raises(FileTooLarge, match="超过 1 MB"):
        store.receive(io.BytesIO(b"x" * ((1 << 20) + 1)))
    assert drafts(store) == []


def test_a_draft_that_is_dropped_leaves_nothing(store: FileStore) -> None:
    store.drop(store.receive(io.BytesIO(DATA)))
    assert drafts(store) == []
    assert files(store) == set()


def reaper(store: FileStore, known: set[str]) -> Reaper:
    def speaking(names: Collection[str]) -> set[str]:
        return known & set(names)

    return Reaper(store, speaking)


def test_what_no_row_speaks_of_is_taken_at_the_second_look(store: FileStore) -> None:
    spoken = keep(store, b"spoken of")
    keep(store)
    store.receive(io.BytesIO(b"a draft of somebody who was killed"))
    reaping = reaper(store, {spoken})
    assert reaping.look() == 0
    assert reaping.look() == 2
    assert files(store) == {spoken}
    assert drafts(store) == []


def test_what_is_kept_again_between_two_looks_stays(store: FileStore) -> None:
    keep(store)
    reaping = reaper(store, set())
    reaping.look()
    keep(store)
    assert reaping.look() == 0
    assert files(store) == {SHA}


def test_what_is_kept_again_while_it_is_taken_away_stays(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The upload comes between the look and the taking: the reaper holds another file."""
    keep(store)
    reaping = reaper(store, set())
    reaping.look()
    real = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if target.name.startswith("taken-"):
            monkeypatch.setattr(Path, "replace", real)
            keep(store)
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    assert reaping.look() == 0
    assert files(store) == {SHA}
    assert drafts(store) == []


def test_what_a_killed_reaper_held_comes_back_until_it_was_looked_at_twice(
    store: FileStore,
) -> None:
    keep(store)
    store.path(SHA).replace(store.incoming / f"taken-{SHA}")
    reaping = reaper(store, {SHA})
    assert (reaping.look(), reaping.look()) == (0, 0)
    assert files(store) == {SHA}
    assert drafts(store) == []


KEEPER = """
import io, sys
from pathlib import Path
from services.file_store import FileStore
store = FileStore(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
draft = store.receive(io.BytesIO(b"evidence" * 1000))
store.keep(draft)
print("kept", flush=True)
"""


def may_trace() -> bool:
    tried = ["strace", "-f", "-qq", "-o", "/dev/null", "true"]
    try:
        return subprocess.run(tried, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not may_trace(), reason="no process can be traced here: strace")
@pytest.mark.parametrize("call", CALLS)
def test_a_process_killed_at_any_call_leaves_a_whole_file_or_none(
    tmp_path: Path, call: str
) -> None:
    """SIGKILL as the n-th call on the folder begins, for all n: nothing under a name is halved."""
    folder, kept = tmp_path / "files", 0
    for nth in range(1, 30):
        said = killed(folder, call, nth)
        store = FileStore(folder)
        for name in store.names():
            assert hashlib.sha256(store.path(name).read_bytes()).hexdigest() == name
        reaping = reaper(store, files(store))
        reaping.look()
        reaping.look()
        assert drafts(store) == [], (call, nth)
        kept += "kept" in said
        if "kept" in said:
            assert files(store) == {SHA}
            break
    assert kept == 1, "every call was one of a process that was killed"


def killed(folder: Path, call: str, nth: int) -> str:
    """What a process said that keeps a file and is killed at a call; all that it said otherwise."""
    watched = ("", "incoming", "kept", f"kept/{SHA[:2]}", f"kept/{SHA[:2]}/{SHA}")
    paths = [word for part in watched for word in ("-P", str(folder / part))]
    fault = ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={nth}"]
    command = ["strace", "-f", "-qq", "-o", "/dev/null", *paths, *fault]
    if call == "write":  # the draft has a name nobody knows before
        command = [word for word in command if word not in paths]
    done = subprocess.run(
        [*command, sys.executable, "-c", KEEPER, str(folder)],
        input="go\n",
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    return done.stdout


def test_a_full_disk_is_said_and_leaves_no_file() -> None:
    with small_disk(4) as disk:
        if disk is None:
            pytest.skip("this machine mounts nothing")
        store = FileStore(disk.folder / "files")
        keep(store)
        disk.fill()
        with pytest.raises(OSError, match="No space") as full:
            keep(store, os.urandom(200_000))
        told = refusal(full.value)
        assert told is not None
        assert told.code == "no_room"
        assert files(store) == {SHA}
        assert drafts(store) == []
        disk.free()
        assert len({keep(store, b"room again"), *files(store)}) == 2
