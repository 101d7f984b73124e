"""SPEC O5: ``neuron-adapters share`` makes what users may share, repairs what is there, and says what is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from neuron_adapters.tools import cli
from neuron_rt.locks import LOCK_NAME, LockFile


def test_a_new_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["share", str(tmp_path / "all")]) == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'all'} (drwxrwxrwt): every user can share it now")
    assert (tmp_path / "all" / LOCK_NAME).stat().st_mode & 0o777 == 0o666
    assert cli.main(["share", "--group", "daemon", str(tmp_path / "some")]) == 0
    assert "(drwxrwx--T): the members of daemon" in capsys.readouterr().out
    info = (tmp_path / "some" / LOCK_NAME).stat()
    assert (info.st_mode & 0o777, info.st_gid) == (0o660, (tmp_path / "some").stat().st_gid)


def test_a_directory_in_use(tmp_path: Path) -> None:
    """Locks that are held stay held."""
    (tmp_path / "used").mkdir(mode=0o700)
    lock, other = (LockFile(tmp_path / "used", shared=True) for _ in range(2))
    assert lock.take(3)
    assert cli.main(["share", str(tmp_path / "used")]) == 0
    assert lock.is_current()
    assert not other.take(3)
    lock.close()
    assert other.take(3)
    other.close()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.write_text(""), "Not a directory"),
        (lambda path: path.symlink_to(path.parent), "Not a directory"),
        (lambda path: (path.mkdir(), (path / LOCK_NAME).symlink_to("/etc/passwd")), "symbolic links"),
        (lambda path: (path.mkdir(), os.mkfifo(path / LOCK_NAME)), "is not a plain file"),
    ],
    ids=["file", "link", "lock is a link", "lock is a pipe"],
)
def test_what_cannot_be_shared(tmp_path: Path, capsys: pytest.CaptureFixture[str], make: object, says: str) -> None:
    make(tmp_path / "odd")  # type: ignore[operator]
    assert cli.main(["share", str(tmp_path / "odd")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
    assert oct(os.stat("/etc/passwd").st_mode & 0o777) == "0o644"


def test_wrong_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["share", "here"])
    assert "not an absolute path" in capsys.readouterr().err
    assert cli.main(["share", "--group", "no such group", "/tmp/x"]) == 2
    assert "there is no group 'no such group'" in capsys.readouterr().err
