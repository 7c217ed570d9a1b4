"""Checks an audit that ``fourduties audit export FILE`` wrote, with nothing of fourduties.

    python audit_verifier.py FILE [--key PUBLIC] [--seal SEAL] [--json]

Needs Python 3.11 and ``cryptography``; no network, no database. ``PUBLIC`` is the public key that
the seals must rest on (hex), ``SEAL`` a seal that was kept outside (``fourduties audit seal-out``):
without either it can only say that the file agrees with itself. Each finding says where; exit code
1 if there are any. Entries are read one by one; what is held is a line for each sealed head.

Construction. Entry: SHA-256 of ``fd-audit-v1``, stream, n, hash before, length of the body, each
followed by a zero byte, and the body. Leaf: ``stream|n|hash``. Tree: RFC 6962, SHA-256, one for all
seals. A seal signs (Ed25519) the lines ``fd-seal-v1``, number, size, root, SHA-256 of what the seal
before signed, time, algorithm and key. A key is named by the first 16 digits of its SHA-256, and
signs ``fd-seal-key-v1`` and the key that follows it.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Line = dict[str, Any]
Finding = dict[str, Any]


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def signed(public: str, signature: str, said: str) -> bool:
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        key.verify(bytes.fromhex(signature), said.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def statement(seal: Line) -> str:
    fields = ("number", "size", "root", "previous", "at", "algorithm", "key_id")
    return "\n".join(["fd-seal-v1", *(str(seal[name]) for name in fields)]) + "\n"


class Tree:
    """The roots of the perfect subtrees of a tree that grows."""

    def __init__(self) -> None:
        self.size = 0
        self.peaks: list[bytes] = []

    def append(self, data: bytes) -> None:
        node, at = sha(b"\0" + data), self.size
        while at & 1:
            node, at = sha(b"\1" + self.peaks.pop() + node), at >> 1
        self.peaks.append(node)
        self.size += 1

    def root(self) -> str:
        if not self.peaks:
            return sha(b"").hex()
        root = self.peaks[-1]
        for left in self.peaks[-2::-1]:
            root = sha(b"\1" + left + root)
        return root.hex()


class Verifier:
    """Takes the lines in their order; :meth:`end` after the last one."""

    def __init__(self, public: str = "", kept: Line | None = None) -> None:
        self.public, self.kept = public, kept
        self.keys: dict[str, str] = {}
        self.last_key = ""
        self.tree, self.whole = Tree(), True
        self.last: Line | None = None
        self.sealed: dict[tuple[str, int], str] = {}
        self.ends: dict[str, tuple[int, str]] = {}
        self.heads: set[str] = set()
        self.found_kept = False
        self.entries = 0

    def key(self, line: Line) -> Iterator[Finding]:
        name = hashlib.sha256(bytes.fromhex(line["public"])).hexdigest()[:16]
        said = f"fd-seal-key-v1\n{line['public']}\n"
        endorsed = not self.last_key or signed(self.last_key, line["endorsed"], said)
        if name != line["key_id"] or not endorsed:
            yield {"what": "a key of unknown origin", "key": line["key_id"]}
        self.keys[line["key_id"]] = self.last_key = line["public"]

    def leaf(self, line: Line) -> Iterator[Finding]:
        where = line["stream"], line["n"]
        self.tree.append(f"{line['stream']}|{line['n']}|{line['hash']}".encode())
        self.sealed[where] = line["hash"]
        return iter(())

    def seal(self, line: Line) -> Iterator[Finding]:
        number = line["number"]
        before = statement(self.last) if self.last else ""
        expected = self.last["number"] + 1 if self.last else 1
        if number != expected:
            yield {"what": "a seal is missing", "seal": expected}
        elif line["previous"] != (sha(before.encode()).hex() if before else ""):
            yield {"what": "a seal does not follow the one before", "seal": number}
        if self.whole and (self.tree.size, self.tree.root()) != (line["size"], line["root"]):
            self.whole = False
            yield {"what": "the leaves do not come to the signed root", "seal": number}
        if not signed(self.keys.get(line["key_id"], ""), line["signature"], statement(line)):
            yield {"what": "a signature does not fit", "seal": number}
        if self.kept and self.kept["number"] == number:
            self.found_kept = all(line[name] == self.kept[name] for name in line if name != "kind")
        self.last = line

    def entry(self, line: Line) -> Iterator[Finding]:
        self.entries += 1
        stream, n, body = line["stream"], line["n"], line["body"].encode()
        at, before = self.ends.get(stream, (0, ""))
        head = f"fd-audit-v1\0{stream}\0{n}\0{line['prev']}\0{len(body)}\0".encode()
        if (n, line["prev"]) != (at + 1, before) or sha(head + body).hex() != line["hash"]:
            yield {"what": "a chain is broken", "stream": stream, "n": n}
        elif json.loads(body).get("at", line["at"]) != line["at"]:
            yield {"what": "an entry's time is not that of its body", "stream": stream, "n": n}
        if self.sealed.pop((stream, n), line["hash"]) != line["hash"]:
            yield {"what": "a sealed entry was changed", "stream": stream, "n": n}
        self.ends[stream] = n, line["hash"]

    def head(self, line: Line) -> Iterator[Finding]:
        self.heads.add(line["stream"])
        if self.ends.get(line["stream"]) != (line["n"], line["hash"]):
            yield {"what": "a chain does not end in its head", "stream": line["stream"]}

    def end(self) -> Iterator[Finding]:
        for stream in self.ends.keys() - self.heads:
            yield {"what": "a chain does not end in its head", "stream": stream}
        for stream, n in self.sealed:
            yield {"what": "a sealed entry is missing", "stream": stream, "n": n}
        if self.tree.size != (self.last["size"] if self.last else 0):
            yield {"what": "a leaf is under no seal", "place": self.tree.size - 1}
        if self.public and self.last_key not in ("", self.public):
            yield {"what": "the key is not the one that was named", "key": self.last_key}
        if self.kept and not self.found_kept:
            yield {
                "what": "the kept seal is not in the file as it was",
                "seal": self.kept["number"],
            }


def verify(lines: Iterable[str], verifier: Verifier) -> Iterator[Finding]:
    for text in lines:
        line: Line = json.loads(text)
        yield from getattr(verifier, line["kind"])(line)
    yield from verifier.end()


def main() -> int:
    parser = argparse.ArgumentParser(description="Check an exported audit.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--key", default="", help="public key in hex that seals must rest on")
    parser.add_argument("--seal", type=Path, help="a seal that was kept outside")
    parser.add_argument("--json", action="store_true", help="one line of JSON for each finding")
    given = parser.parse_args()
    kept = json.loads(given.seal.read_text(encoding="utf-8")) if given.seal else None
    verifier, count = Verifier(given.key, kept), 0
    with given.file.open(encoding="utf-8") as lines:
        for finding in verify(lines, verifier):
            count += 1
            where = ", ".join(f"{k} {v}" for k, v in finding.items() if k != "what")
            said = json.dumps(finding) if given.json else f"{finding['what']}: {where}"
            sys.stdout.write(said + "\n")
    last = verifier.last
    upto = f"sealed up to {last['at']} (seal {last['number']})" if last else "nothing is sealed"
    sys.stderr.write(f"{verifier.entries} entries, {upto}, {count} findings\n")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
