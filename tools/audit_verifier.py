"""Checks an audit that ``fourduties audit export FILE`` wrote, with nothing of fourduties.

    python audit_verifier.py FILE [--key PUBLIC] [--seal SEAL] [--json]
    python audit_verifier.py --receipt RECEIPT [--key PUBLIC] [--seal SEAL] [--json]
    python audit_verifier.py --since OLDER --seal SEAL [--key PUBLIC] [--json]

Needs Python 3.11 and ``cryptography``; no network, no database. ``PUBLIC`` is the public key that
the seals must rest on (hex), ``SEAL`` a seal that was kept outside (``fourduties audit seal-out``):
without either it can only say that the file agrees with itself. Each finding says where; exit code
1 if there are any. Entries are read one by one; what is held is a line for each sealed head.

The second form checks what somebody was given of a decision of theirs (办理凭证), the third that
``SEAL`` continues ``OLDER``. A seal that is to be compared with an earlier one must have been
written for it (``seal-out --since``), so that it brings the proof.

Construction. Entry: SHA-256 of ``fd-audit-v1``, stream, n, hash before, length of the body, each
followed by a zero byte, and the body. What somebody wrote is bound by an HMAC (SHA-256) under the
key of their request. Leaf: ``stream|n|hash``. Tree: RFC 6962, by the hash function that the seal
names (SHA-256, SM3), one for all seals. A seal signs (Ed25519) the lines ``fd-seal-v1``, number,
size, root, hash of what the seal before signed, time, algorithm and key. A key is named by the
first 16 digits of its SHA-256, and signs ``fd-seal-key-v1`` and the key that follows it.
"""

import argparse
import hashlib
import hmac
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Line = dict[str, Any]
Finding = dict[str, Any]


ALGORITHMS = tuple(one for one in ("sha256", "sm3") if one in hashlib.algorithms_available)
SEAL = ("number", "size", "root", "previous", "at", "algorithm", "key_id", "signature", "public")


class Unfit(Exception):
    """The file is none of those that can be checked here."""


def hashed(algorithm: str, data: bytes) -> bytes:
    if algorithm not in ALGORITHMS:
        raise Unfit(f"this machine has no {algorithm}")
    return hashlib.new(algorithm, data).digest()


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

    def __init__(self, algorithm: str = "sha256") -> None:
        self.algorithm = algorithm
        self.size = 0
        self.peaks: list[bytes] = []

    def append(self, data: bytes) -> None:
        node, at = hashed(self.algorithm, b"\0" + data), self.size
        while at & 1:
            node, at = pair(self.algorithm, self.peaks.pop(), node), at >> 1
        self.peaks.append(node)
        self.size += 1

    def root(self) -> str:
        if not self.peaks:
            return hashed(self.algorithm, b"").hex()
        root = self.peaks[-1]
        for left in self.peaks[-2::-1]:
            root = pair(self.algorithm, left, root)
        return root.hex()


def pair(algorithm: str, left: bytes, right: bytes) -> bytes:
    return hashed(algorithm, b"\1" + left + right)


def split(size: int) -> int:
    """Where RFC 6962 parts a tree: the largest power of two below its size."""
    k = 1
    while 2 * k < size:
        k *= 2
    return k


def climbed(algorithm: str, node: bytes, place: int, size: int, path: list[bytes]) -> bytes:
    """The root to which a path leads from the leaf at a place (the inverse of PATH, 2.1.1)."""
    if size == 1:
        return node if not path else b""
    if not path:
        return b""
    *inner, other = path
    k = split(size)
    if place < k:
        return pair(algorithm, climbed(algorithm, node, place, k, inner), other)
    return pair(algorithm, other, climbed(algorithm, node, place - k, size - k, inner))


def grown(
    algorithm: str, old: int, size: int, proof: list[bytes], root: bytes | None
) -> tuple[bytes, bytes]:
    """The two roots to which a proof leads (the inverse of SUBPROOF, 2.1.2); ``root``: the older
    one, while its tree is still whole."""
    if old == size and root is not None:
        return (root, root) if not proof else (b"", b"")
    if not proof:
        return b"", b""
    *inner, other = proof
    if old == size:
        return (other, other) if not inner else (b"", b"")
    k = split(size)
    if old <= k:
        before, after = grown(algorithm, old, k, inner, root)
        return before, pair(algorithm, after, other)
    before, after = grown(algorithm, old - k, size - k, inner, None)
    return pair(algorithm, other, before), pair(algorithm, other, after)


def own(seal: Line, public: str) -> Iterator[Finding]:
    """Whether a seal by itself is one, and by the key that was named."""
    named = hashlib.sha256(bytes.fromhex(seal["public"])).hexdigest()[:16]
    if named != seal["key_id"] or not signed(seal["public"], seal["signature"], statement(seal)):
        yield {"what": "a signature does not fit", "seal": seal["number"]}
    chain = seal.get("keys") or [{"public": seal["public"], "endorsed": ""}]
    endorsed = all(
        signed(before["public"], after["endorsed"], f"fd-seal-key-v1\n{after['public']}\n")
        for before, after in zip(chain, chain[1:], strict=False)
    )
    known = [one["public"] for one in chain]
    if not endorsed or known[-1] != seal["public"]:
        yield {"what": "a key of unknown origin", "key": seal["key_id"]}
    elif public and public not in known:
        yield {"what": "the key is not the one that was named", "key": seal["public"]}


def continued(old: Line, new: Line) -> Iterator[Finding]:
    """Whether a seal continues an earlier one: the same, or by the proof that it brings."""
    if old["number"] == new["number"]:
        if any(old[name] != new[name] for name in SEAL):
            yield {"what": "the kept seal is another one", "seal": new["number"]}
        return
    if new["number"] < old["number"]:
        yield {"what": "the kept seal is older", "seal": new["number"]}
        return
    brought = new.get("consistency") or {}
    if brought.get("since") != old["number"]:
        yield {"what": "the kept seal brings no proof since this one", "seal": old["number"]}
        return
    algorithm, proof = new["algorithm"], [bytes.fromhex(one) for one in brought["path"]]
    root = bytes.fromhex(old["root"])
    found = grown(algorithm, old["size"], new["size"], proof, root)
    if old["algorithm"] != algorithm or found != (root, bytes.fromhex(new["root"])):
        yield {"what": "the kept seal does not continue this one", "seal": old["number"]}


def entry_hash(stream: str, line: Line) -> str:
    body = line["body"].encode()
    head = f"fd-audit-v1\0{stream}\0{line['n']}\0{line['prev']}\0{len(body)}\0".encode()
    return sha(head + body).hex()


def receipt(given: Line, public: str, kept: Line | None) -> Iterator[Finding]:
    """What is wrong with a receipt: entry, own words, chain up to the seal, path, seal."""
    if given.get("format") != "fd-receipt-v1":
        raise Unfit("this is no receipt")
    entry, opening, sealed = given["entry"], given["opening"], given["sealed"]
    stream = entry["stream"]
    said = json.dumps(opening["said"], sort_keys=True, ensure_ascii=True).encode()
    bound = hmac.new(opening["key"].encode(), said, "sha256").hexdigest()
    told = [change.get("content") for change in json.loads(entry["body"]).get("changes", ())]
    if bound != opening["content"] or bound not in told:
        yield {"what": "what was written is not what the entry binds", "stream": stream}
    before = entry["prev"]
    n = entry["n"] - 1
    for line in [entry, *(sealed["after"] if sealed else ())]:
        fits = (line["n"], line["prev"]) == (n + 1, before)
        if not fits or entry_hash(stream, line) != line["hash"]:
            yield {"what": "a chain is broken", "stream": stream, "n": line["n"]}
        n, before = line["n"], line["hash"]
    if not sealed:
        yield {"what": "it is not sealed yet", "stream": stream, "n": n}
        return
    seal, path = sealed["seal"], [bytes.fromhex(node) for node in sealed["path"]]
    leaf = hashed(seal["algorithm"], b"\0" + f"{stream}|{n}|{before}".encode())
    inside = 0 <= sealed["place"] < seal["size"]
    root = climbed(seal["algorithm"], leaf, sealed["place"], seal["size"], path) if inside else b""
    if root.hex() != seal["root"]:
        yield {"what": "the entry is not under the seal", "seal": seal["number"]}
    yield from own(seal, public)
    if kept:
        yield from own(kept, public)
        yield from continued(seal, kept)


class Verifier:
    """Takes the lines in their order; :meth:`end` after the last one."""

    def __init__(self, public: str = "", kept: Line | None = None) -> None:
        self.public, self.kept = public, kept
        self.keys: dict[str, str] = {}
        self.last_key = ""
        self.trees, self.whole = {name: Tree(name) for name in ALGORITHMS}, True
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
        for tree in self.trees.values():
            tree.append(f"{line['stream']}|{line['n']}|{line['hash']}".encode())
        self.sealed[where] = line["hash"]
        return iter(())

    def seal(self, line: Line) -> Iterator[Finding]:
        number, algorithm = line["number"], line["algorithm"]
        before = statement(self.last) if self.last else ""
        expected = self.last["number"] + 1 if self.last else 1
        if number != expected:
            yield {"what": "a seal is missing", "seal": expected}
        elif line["previous"] != (hashed(algorithm, before.encode()).hex() if before else ""):
            yield {"what": "a seal does not follow the one before", "seal": number}
        tree = self.trees.get(algorithm, Tree())
        if self.whole and (tree.size, tree.root()) != (line["size"], line["root"]):
            self.whole = False
            yield {"what": "the leaves do not come to the signed root", "seal": number}
        if not signed(self.keys.get(line["key_id"], ""), line["signature"], statement(line)):
            yield {"what": "a signature does not fit", "seal": number}
        if self.kept and self.kept["number"] == number:
            self.found_kept = all(line[name] == self.kept[name] for name in line if name != "kind")
        self.last = line

    def entry(self, line: Line) -> Iterator[Finding]:
        self.entries += 1
        stream, n, body = line["stream"], line["n"], line["body"]
        at, before = self.ends.get(stream, (0, ""))
        if (n, line["prev"]) != (at + 1, before) or entry_hash(stream, line) != line["hash"]:
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
        size = self.trees["sha256"].size
        if size != (self.last["size"] if self.last else 0):
            yield {"what": "a leaf is under no seal", "place": size - 1}
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


def checked(file: Path, verifier: Verifier) -> Iterator[Finding]:
    with file.open(encoding="utf-8") as lines:
        yield from verify(lines, verifier)
    last = verifier.last
    upto = f"sealed up to {last['at']} (seal {last['number']})" if last else "nothing is sealed"
    sys.stderr.write(f"{verifier.entries} entries, {upto}, ")


def between(old: Line, new: Line, public: str) -> Iterator[Finding]:
    yield from own(old, public)
    yield from own(new, public)
    yield from continued(old, new)


def read(file: Path | None) -> Line | None:
    if file is None:
        return None
    line = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(line, dict):
        raise Unfit(f"{file} is none of the files that are checked here")
    return line


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Check an exported audit, a receipt, or seals.")
    parser.add_argument("file", type=Path, nargs="?", help="an exported audit")
    parser.add_argument("--receipt", type=Path, help="what somebody was given of a decision")
    parser.add_argument("--since", type=Path, help="an earlier seal that --seal must continue")
    parser.add_argument("--key", default="", help="public key in hex that seals must rest on")
    parser.add_argument("--seal", type=Path, help="a seal that was kept outside")
    parser.add_argument("--json", action="store_true", help="one line of JSON for each finding")
    return parser


def findings(given: argparse.Namespace) -> Iterator[Finding]:
    kept, told, old = read(given.seal), read(given.receipt), read(given.since)
    if told is not None:
        return receipt(told, given.key, kept)
    if old is not None and kept is not None:
        return between(old, kept, given.key)
    if given.file is None:
        raise Unfit("an export, --receipt, or --since with --seal is needed")
    return checked(given.file, Verifier(given.key, kept))


def main() -> int:
    given, count = arguments().parse_args(), 0
    try:
        for finding in findings(given):
            count += 1
            where = ", ".join(f"{k} {v}" for k, v in finding.items() if k != "what")
            said = json.dumps(finding) if given.json else f"{finding['what']}: {where}"
            sys.stdout.write(said + "\n")
    except (Unfit, KeyError, TypeError, ValueError) as error:
        sys.stderr.write(f"cannot be checked: {error}\n")
        return 2
    sys.stderr.write(f"{count} findings\n")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
