"""What must not be stored here (domain §7.2, §7.3): a gate that every text from outside passes.

It knows patterns, not meanings: identity and telephone numbers, words of petitions, clues and
cases, marks of classified papers. Spaces, dashes and full-width forms do not get round it.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

WORDS = ("举报", "信访人", "线索", "初核", "立案", "留置")
_SEPARATOR = r"[\s\-—–_.·]*"
_IDENTITY = re.compile(rf"(?<![0-9])[1-9](?:{_SEPARATOR}[0-9]){{16}}{_SEPARATOR}[0-9Xx](?![0-9])")
_MOBILE = re.compile(rf"(?<![0-9])1{_SEPARATOR}[3-9](?:{_SEPARATOR}[0-9]){{9}}(?![0-9])")
_LANDLINE = re.compile(r"(?<![0-9])0[0-9]{2,3}[\s\-—–]?[0-9]{7,8}(?![0-9])")
_CLASSIFIED = re.compile(r"(绝密|机密|秘密)(★|级|件)")
_CLASSES = ("绝密", "机密", "秘密")
_MARK = re.compile(
    r"(绝密|机密|秘密)[★☆*]|密级:?(绝密|机密|秘密)|[(\[【〔<《](绝密|机密|秘密)[)\]】〕>》]"
)
"""How a classified paper is marked: 秘密★1年, 密级：机密, 【绝密】."""


def refusal_in(value: Any) -> str | None:
    """:func:`refusal` for whatever texts a JSON value holds, keys left out; None when none does."""
    if isinstance(value, str):
        return refusal(value)
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return None
    return next((wrong for part in value if (wrong := refusal_in(part))), None)


def is_marked(text: str) -> bool:
    """Whether a line of a file, or its name, bears the mark of a classified paper (密级标志).

    Narrower than :func:`refusal`, because a paper may well speak about secrecy: words such as
    机密级文件管理 are no mark, and neither are spaces what tells a mark from another.
    """
    plain = unicodedata.normalize("NFKC", text)
    joined = "".join(c for c in plain if not c.isspace() and unicodedata.category(c) != "Cf")
    stem = joined.rpartition(".")[0] or joined
    return stem in _CLASSES or _MARK.search(joined) is not None


def refusal(text: str) -> str | None:
    """Why a text must not be stored, in Chinese, or None. It never repeats what it found."""
    plain = unicodedata.normalize("NFKC", text)
    joined = "".join(c for c in plain if not c.isspace() and unicodedata.category(c) != "Cf")
    if _CLASSIFIED.search(joined):
        return "标有密级的内容不能放在这里，请走保密渠道"
    if _IDENTITY.search(plain):
        return "像是含有身份证号码，请删去"
    if _MOBILE.search(plain) or _LANDLINE.search(plain):
        return "像是含有电话号码，请删去"
    word = next((word for word in WORDS if word in joined), None)
    if word:
        return f"含有“{word}”，本系统不收信访件、问题线索和审查调查的内容，请走保密渠道"
    return None
