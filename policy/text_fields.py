"""Every text that people give to a command: who may read it, and what the gate does with it.

What is beyond doubt is refused everywhere. What may be harmless is to be confirmed by who wrote
prose, because a report may well need the word; a name or a title can do without, so it is refused
there as well. ``tests/test_text_fields.py`` finds an input of a command that is not here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from policy.sanitise import Finding, Level


class TextClass(StrEnum):
    """Who reads a text (domain §7.3). There is none for classified papers: those stay outside."""

    PUBLIC = "public"
    """It goes into lists and papers that other units get."""
    INTERNAL = "internal"
    """Whoever sees the case reads it."""
    RESTRICTED = "restricted"
    """Those whom it concerns, and the operator."""


class Effect(StrEnum):
    """What the gate does."""

    REFUSE = "refuse"
    CONFIRM = "confirm"
    """The page shows what was noticed, and asks the person to confirm once."""


@dataclass(frozen=True, slots=True)
class TextField:
    """A text input. ``doubtful``: what is done with what may be harmless."""

    text_class: TextClass
    doubtful: Effect

    def effect(self, found: Finding) -> Effect:
        """What is done with a finding in this field."""
        return Effect.REFUSE if found.level is Level.BLOCK else self.doubtful


_PUBLIC = TextField(TextClass.PUBLIC, Effect.CONFIRM)
_INTERNAL = TextField(TextClass.INTERNAL, Effect.CONFIRM)
_RESTRICTED = TextField(TextClass.RESTRICTED, Effect.CONFIRM)
_NAME = TextField(TextClass.PUBLIC, Effect.REFUSE)
_INNER_NAME = TextField(TextClass.INTERNAL, Effect.REFUSE)

FIELDS: Mapping[tuple[str, str], TextField] = {
    ("appointment.begin", "name"): _INNER_NAME,
    ("batch.stage", "filename"): _INNER_NAME,
    ("branch.pause", "reason"): _INTERNAL,
    ("branch.prolong_pause", "reason"): _INTERNAL,
    ("branch.resume", "reason"): _INTERNAL,
    ("calendar.publish", "source"): _NAME,
    ("case.terminate", "reason"): _INTERNAL,
    ("evidence.add", "note"): _INTERNAL,
    ("evidence.add", "uploads"): _INNER_NAME,
    ("evidence.withdraw", "reason"): _INTERNAL,
    ("ledger.stage", "batch"): _NAME,
    ("ledger.stage", "data"): _PUBLIC,
    ("ledger.stage", "filename"): _INNER_NAME,
    ("post.create", "title"): _NAME,
    ("problem.import", "batch"): _NAME,
    ("problem.import", "data"): _PUBLIC,
    ("problem.import", "filename"): _INNER_NAME,
    ("slot.record", "payload"): _PUBLIC,
    ("slot.record", "reason"): _INTERNAL,
    ("slot.record", "scan"): _INNER_NAME,
    ("slot.reroute", "reason"): _INTERNAL,
    ("slot.{act}", "given"): _INTERNAL,
    ("slot.{act}", "reason"): _INTERNAL,
    ("step.decide", "payload"): _PUBLIC,
    ("step.decide", "reason"): _INTERNAL,
    ("substitution.make", "reason"): _RESTRICTED,
    ("task.import", "data"): _PUBLIC,
    ("task.import", "filename"): _INNER_NAME,
    ("unit.rename", "name"): _NAME,
    ("unit.rename", "short_name"): _NAME,
    ("unit.split", "name"): _NAME,
    ("unit.split", "short_name"): _NAME,
}
"""By command and input. ``data`` are the cells of prose in a file; its names are names."""

NO_TEXT: Mapping[tuple[str, str], str] = {
    ("account.change_password", "address"): "an address of the network",
    ("account.change_password", "new"): "a password",
    ("account.change_password", "old"): "a password",
    ("account.set_password", "passwords"): "passwords",
    ("administrator.appoint", "login"): "a log-in",
    ("administrator.appoint", "organisation"): "a code",
    ("administrator.dismiss", "login"): "a log-in",
    ("appointment.end", "seen"): "a fingerprint",
    ("appointment.transfer", "seen"): "a fingerprint",
    ("batch.confirm", "fingerprint"): "a fingerprint",
    ("branch.pause", "kind"): "one of a list",
    ("branch.pause", "review_on"): "a date",
    ("branch.prolong_pause", "review_on"): "a date",
    ("batch.stage", "data"): "names only; the reader of its cells refuses whatever is noticed",
    ("change.finish", "halted"): "counts, and a refusal of ours",
    ("change.plan", "what"): "one of a list; the command that it plans checks the names",
    ("channel.add", "url"): "an address",
    ("channel.confirm", "code"): "a code",
    ("effect.fail", "error"): "the class of an error",
    ("effect.finish", "result"): "of a script, not of a person",
    ("installation.restored", "backup"): "the name of a backup",
    ("launch.preview", "mechanism"): "one of a list",
    ("launch.record", "mechanism"): "one of a list",
    ("ledger.confirm", "fingerprint"): "a fingerprint",
    ("ledger.stage", "organisation"): "a code",
    ("post.abolish", "seen"): "a fingerprint",
    ("problem.import", "organisation"): "a code",
    ("rectification.start", "batch"): "a batch that is there; its import checked it",
    ("seal.cosign", "told"): "numbers, hashes and signatures",
    ("seal.take_in", "told"): "numbers, hashes and signatures",
    ("session.open", "code"): "a code",
    ("session.open", "token"): "a secret",
    ("session.refuse", "address"): "an address of the network",
    ("session.refuse", "counted"): "an address of the network",
    ("slot.record", "answer"): "one of a list",
    ("slot.record", "back_to"): "one of a list",
    ("slot.record", "given"): "one of a list, and a day",
    ("step.decide", "answer"): "one of a list",
    ("step.decide", "back_to"): "one of a list",
    ("unit.close", "seen"): "a fingerprint",
    ("unit.merge", "seen"): "a fingerprint",
    ("unit.move", "seen"): "a fingerprint",
    ("unit.rename", "seen"): "a fingerprint",
    ("unit.split", "code"): "a code",
    ("unit.split", "seen"): "a fingerprint",
}
"""Inputs that hold no words of people, and what they hold instead."""
