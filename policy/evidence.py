"""What may be evidence: which steps take it, which kinds of file, and what a file may be called.

Evidence is never asked for (domain §1.8: no forced photographs): a step that takes some can be
decided without. What proves a thing is said in one sentence, and a file may go with it.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from policy.sanitise import is_marked

MOST_FILES = 10
"""Files in one upload."""
MOST_VERSIONS = 50
LONGEST_NOTE = 200
"""Characters of the sentence that says what a file shows."""
LONGEST_NAME = 120
"""Characters of a file's name, its ending included."""
_STEPS = ("do-task", "apply-closing", "apply-again", "say-standing")
TAKES = frozenset(("rectification", key) for key in _STEPS)
"""Mechanism and step in which whoever is asked may add evidence."""


@dataclass(frozen=True, slots=True)
class About:
    """What evidence is about: a task of a problem, or the problem as a whole (no task)."""

    problem_id: int
    task_id: int | None

    def may_follow(self, piece: "About") -> bool:
        """Whether a step about this may give the next version of such a piece, which stays about
        what it was given for.
        """
        return self == piece


def has_room(versions: int) -> bool:
    """Whether a piece with so many versions may have one more."""
    return versions < MOST_VERSIONS


def may_withdraw(*, gave: bool, asks: bool, unreached: bool) -> bool:
    """Whether a version that counts may be taken back by somebody who has a right to its step.

    While the step ``asks``, by whoever would answer it: the version goes with that answer. Where
    others answered instead (``unreached``) nobody answered for it: by who ``gave`` it.
    """
    return asks or (unreached and gave)


class FileKind(StrEnum):
    """What a file is, by its content."""

    PDF = "pdf"
    DOCX = "docx"
    DOC = "doc"
    XLSX = "xlsx"
    XLS = "xls"
    PNG = "png"
    JPEG = "jpeg"
    GIF = "gif"
    WEBP = "webp"


ENDINGS = {kind.value: kind for kind in FileKind} | {"jpg": FileKind.JPEG}
PICTURES = frozenset({FileKind.PNG, FileKind.JPEG, FileKind.GIF, FileKind.WEBP})
SHOWN = PICTURES | {FileKind.PDF}
"""What a browser shows by itself; anything else is downloaded."""
_INSTEAD = {
    "docm": "含有宏的文件不收，请另存为不含宏的 .docx",
    "xlsm": "含有宏的文件不收，请另存为不含宏的 .xlsx",
    "dotm": "含有宏的文件不收，请另存为不含宏的 .docx",
    "wps": "请用 WPS 另存为 .docx 后再上传",
    "et": "请用 WPS 另存为 .xlsx 后再上传",
    "heic": "这种图片浏览器不能显示，请另存为 .jpg 后再上传",
    "zip": "压缩包不收，请解压后逐个上传",
    "rar": "压缩包不收，请解压后逐个上传",
    "7z": "压缩包不收，请解压后逐个上传",
    "ofd": "OFD 文件暂不能检查和显示，请另存为 .pdf 后再上传",
}
_TAKEN = "只收 PDF、Word（.docx、.doc）、Excel（.xlsx、.xls）和图片（.jpg、.png、.gif、.webp）"
_SPACES = re.compile(r"\s+")
_FOREIGN = frozenset('<>:"|?*')
"""What other systems do not take in a name."""


def tidy_name(name: str) -> str:
    """A file's name without folders and without what no name should hold; '' when nothing is left.

    NFC, one line, no control or direction marks (they make ``exe`` look like ``pdf``), no dots at
    its ends, at most :data:`LONGEST_NAME` characters with the ending kept.
    """
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    kept = (" " if c.isspace() else c for c in last if _harmless(c))
    plain = _SPACES.sub(" ", "".join(kept)).strip(" .")
    stem, dot, ending = plain.rpartition(".")
    if not dot:
        return plain[:LONGEST_NAME]
    room = LONGEST_NAME - len(ending) - 1
    return f"{stem[:room].rstrip(' .')}.{ending}" if room > 0 else plain[:LONGEST_NAME].strip(" .")


def _harmless(character: str) -> bool:
    return character.isspace() or (
        unicodedata.category(character)[0] != "C" and character not in _FOREIGN
    )


def kind_by_name(name: str) -> FileKind | None:
    """What a file says it is, by the ending of its name."""
    return ENDINGS.get(name.rpartition(".")[2].lower()) if "." in name else None


def name_refusal(name: str) -> str | None:
    """Why a file may not be taken by its (tidy) name alone, in Chinese, or None. What else a name
    must not say, the gate for texts tells."""
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    if is_marked(name):
        return "文件名标有密级：涉密文件不能放在这里，请走保密渠道"
    return None if ending in ENDINGS else _INSTEAD.get(ending, _TAKEN)


def reason_refusal(reason: str) -> str | None:
    """Why a reason for taking a version back may not be stored, in Chinese, or None."""
    if not reason:
        return "请用一句话写明为什么撤回"
    return note_refusal(reason)


def note_refusal(note: str) -> str | None:
    """Why a sentence about a file may not be stored, in Chinese, or None."""
    if not note:
        return "请用一句话写明佐证说明什么"
    if len(note) > LONGEST_NOTE:
        return f"说明最长 {LONGEST_NOTE} 个字"
    return "说明标有密级，请走保密渠道" if is_marked(note) else None
