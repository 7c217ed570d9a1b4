"""Looks at a file somebody sent, in a process of its own whose memory and time are bounded.

``python -m documents.inspecting FILE KIND`` prints a line of JSON: what is wrong with it, or "".
"""

import json
import resource
import subprocess
import sys
from pathlib import Path

from documents.book import Unreadable
from documents.file_kind import check, kind_of
from documents.turns import Turns
from policy.evidence import FileKind

SECONDS, _BYTES_A_SECOND = 20, 10 << 20
"""Of the processor, and one more for so many bytes: the largest file is a setting."""
AT_ONCE = 2
"""Files that one process has looked at side by side."""
WAIT_SECONDS, WAITING = 5.0, 8
"""How long one waits for that, and how many wait: who waits holds a thread that answers others."""
_MEMORY, _PER_BYTE = 320 << 20, 6
"""Address space: what the program takes, and so many times the file."""
_MOST_OPEN = 64
_REFUSED = "文件不能检查（已损坏，或者内容过大），没有保存"
_UNLIKE = {
    FileKind.PDF: "PDF",
    FileKind.DOCX: "Word（.docx）",
    FileKind.DOC: "Word（.doc）",
    FileKind.XLSX: "Excel（.xlsx）",
    FileKind.XLS: "Excel（.xls）",
    FileKind.PNG: "图片（.png）",
    FileKind.JPEG: "图片（.jpg）",
    FileKind.GIF: "图片（.gif）",
    FileKind.WEBP: "图片（.webp）",
}


class Crowded(Exception):
    """So many files are being looked at that this one was not; nothing is wrong with it."""


turn = Turns(AT_ONCE, WAITING, WAIT_SECONDS, Crowded)
"""Of those who have a file looked at."""


def inspect(path: Path, named: FileKind) -> None:
    """Unreadable, with what to do, for a file that is not what it is ``named``, or is harmful;
    :class:`Crowded` for one that could not be looked at now.
    """
    command = (sys.executable, "-I", "-m", __name__, str(path), named.value)
    seconds = _seconds(path.stat().st_size)
    with turn():
        try:
            done = subprocess.run(command, capture_output=True, timeout=2 * seconds)
        except subprocess.TimeoutExpired as error:
            raise Unreadable(_REFUSED) from error
    try:
        wrong = json.loads(done.stdout)
    except ValueError as error:  # it was ended by the kernel, or by an error of ours
        raise Unreadable(_REFUSED) from error
    if wrong:
        raise Unreadable(str(wrong))


def wrong_with(data: bytes, named: FileKind) -> str:
    """Why a file is not taken, in Chinese; '' for one that is."""
    if not data:
        return "文件是空的，请重新选择"
    try:
        kind = kind_of(data)
        if kind is not named:
            return f"文件名与内容不符：内容是 {_UNLIKE[kind]}，请改正文件名后再上传"
        check(data, kind)
    except Unreadable as error:
        return str(error)
    return ""


def _seconds(size: int) -> int:
    return SECONDS + size // _BYTES_A_SECOND


def _main() -> None:
    path, named = Path(sys.argv[1]), FileKind(sys.argv[2])
    size = path.stat().st_size
    most, seconds = _MEMORY + _PER_BYTE * size, _seconds(size)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MOST_OPEN, _MOST_OPEN))
    sys.stdout.write(json.dumps(wrong_with(path.read_bytes(), named)) + "\n")


if __name__ == "__main__":
    _main()
