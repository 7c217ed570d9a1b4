"""What an installation is told, and the secrets it makes for itself.

Every setting is an environment variable ``FOURDUTIES_<NAME>``, or a line of ``var/fourduties.env``.
Secrets are made once, in the data folder, readable by their owner only; they are never in git.
"""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

ENV_FILE = Path("var/fourduties.env")
PREFECT_USER = "fourduties"
"""The user name that Prefect's UI asks for together with the generated password."""
_OWNER_ONLY, _OWNERS_FOLDER = 0o600, 0o700


class Settings(BaseSettings):
    """The settings as given; :func:`load` fills what is empty."""

    model_config = SettingsConfigDict(env_prefix="FOURDUTIES_", frozen=True, extra="ignore")

    data: Path = Path("var")
    """The folder of everything that is kept: databases, secrets, logs."""
    database_url: str = Field(default="", repr=False)
    """SQLAlchemy URL; empty: SQLite in the data folder. PostgreSQL: ``postgresql+psycopg://…``."""
    prefect_database_url: str = Field(default="", repr=False)
    """Prefect's own database; empty: SQLite in the data folder."""
    prefect_api_url: str = "http://127.0.0.1:4200/api"
    """Where Prefect's API is. A loopback address is started by ``up``, another one is only used."""
    prefect_auth: str = Field(default="", repr=False)
    """``user:password`` of Prefect's API and UI; empty: generated."""
    worker: Literal["inprocess", "process"] = "inprocess"
    """Who runs the flows: our worker in threads of its own, or Prefect's process worker, which
    starts a process for each run (seconds instead of tenths); one kind for an installation."""
    host: str = "127.0.0.1"
    """The address the web process listens on."""
    port: int = Field(default=8000, ge=1, le=65535)
    """The port the web process listens on."""
    proxies: str = "127.0.0.1"
    """Addresses of the proxies whose ``X-Forwarded-For`` tells who asks, by comma; others' is not
    heeded."""
    base_url: str = ""
    """The address people open, as links carry it; empty: made of host and port."""
    operator: str = ""
    """The log-in of who is told what the system cannot mend; empty: whoever holds that post."""
    operator_url: str = Field(default="", repr=False)
    """An Apprise URL that Prefect's server notifies of alarms by itself; empty: pages only."""
    ops_port: int = Field(default=8010, ge=0, le=65533)
    """Loopback port of the web process's health and metrics, the worker's is the next; 0: any."""
    sending: bool = True
    """False: nothing leaves the house; messages in the pages go on."""
    runs_per_second: float = Field(default=5.0, gt=0, le=100)
    """How many Prefect runs are made in a second, by all workers: its server on SQLite takes 5."""
    steady_seconds: float = Field(default=300.0, ge=0)
    """How long a process has to stay healthy until ``up`` forgets that it had died before."""
    inside_hosts: str = ""
    """Mail servers within the trusted network, by comma: only to them may texts carry titles."""
    evidence_mb: int = Field(default=20, ge=1, le=200)
    """The largest file of evidence, in MB; one upload may carry five times as much."""
    account_key: str = Field(default="", repr=False)
    """The key under which secrets of one-time codes are kept; empty: generated. All machines of an
    installation need the same one."""
    seal_key: str = Field(default="", repr=False)
    """The private key (Ed25519, 64 hex digits) that seals the audit; empty: generated. Only a
    worker that has the installation's key seals."""
    seal_hash: Literal["sha256", "sm3"] = "sha256"
    """The hash function of seals: sha256, or sm3 (GB/T 32905) where the machine's OpenSSL has it.
    What was sealed by the other one stays valid."""
    seal_outbox: str = ""
    """A folder into which the worker writes a seal each day, to be taken out of the house; empty:
    none."""
    password_days: int = Field(default=0, ge=0, le=3650)
    """After how many days a password must be changed; 0: never, unless a profile demands it."""
    administrators_need_codes: bool = False
    """Whether the three administrators must use one-time codes (动态口令)."""
    demo: bool = True
    """Whether ``up`` fills an empty database with the invented district."""

    @property
    def secrets(self) -> Path:
        """The folder of the generated secrets."""
        return self.data / "secrets"

    @property
    def files(self) -> Path:
        """The folder of the files that people give."""
        return self.data / "files"

    @property
    def logs(self) -> Path:
        """The folder of the processes' logs."""
        return self.data / "logs"

    @property
    def inside_mail(self) -> frozenset[str]:
        """The names of ``inside_hosts``."""
        return frozenset(name for part in self.inside_hosts.split(",") if (name := part.strip()))

    @property
    def local_url(self) -> str:
        """Where this machine reaches the web process itself, whatever stands before it."""
        return _address(self.host, self.port)

    @property
    def own_prefect(self) -> bool:
        """Whether the Prefect server is ours to start: its address is on this machine."""
        return urlsplit(self.prefect_api_url).hostname in {"127.0.0.1", "localhost", "::1"}

    @property
    def prefect_ui_url(self) -> str:
        """Where Prefect's pages are: beside its API."""
        return self.prefect_api_url.rstrip("/").removesuffix("/api")

    @property
    def prefect_port(self) -> int:
        """The port of Prefect's API."""
        return urlsplit(self.prefect_api_url).port or 4200

    def exported(self) -> dict[str, str]:
        """The environment under which another process of this installation loads the same."""
        values = self.model_dump(mode="json")
        return {f"FOURDUTIES_{name.upper()}": str(value) for name, value in values.items()}


def load(env_file: Path | None = ENV_FILE, **given: Any) -> Settings:
    """The settings of this installation, complete: data folder and secrets are made when missing.

    ``given`` comes before the environment, the environment before ``env_file`` (which may be
    missing). OSError when the data folder cannot be written.
    """
    raw = Settings(_env_file=env_file, **given)
    data = raw.data.expanduser().resolve()
    data.mkdir(mode=_OWNERS_FOLDER, parents=True, exist_ok=True)
    kept = data / "secrets"
    filled = {
        "data": data,
        "database_url": raw.database_url or f"sqlite:///{data / 'fourduties.db'}",
        "prefect_database_url": raw.prefect_database_url
        or f"sqlite+aiosqlite:///{data / 'prefect.db'}",
        "prefect_auth": raw.prefect_auth or secret(kept / "prefect-auth", _prefect_auth),
        "account_key": raw.account_key or secret(kept / "account-key", _account_key),
        "seal_key": raw.seal_key or secret(kept / "seal-key", _seal_key),
        "base_url": (raw.base_url or raw.local_url).rstrip("/"),
    }
    return raw.model_copy(update=filled)


def secret(path: Path, make: Callable[[], str]) -> str:
    """The text kept at ``path``; made and written once, whole or not at all, with mode 600."""
    with suppress(FileNotFoundError):
        return path.read_text(encoding="utf-8")
    path.parent.mkdir(mode=_OWNERS_FOLDER, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "w") as out:
        out.write(make())
    with suppress(FileExistsError):  # another process of ours was first: its text counts
        path.hardlink_to(draft)
    draft.unlink()
    return path.read_text(encoding="utf-8")


def _address(host: str, port: int) -> str:
    """Where a browser on this machine finds a server that listens on ``host``."""
    seen = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{seen}:{port}"


def _prefect_auth() -> str:
    return f"{PREFECT_USER}:{secrets.token_urlsafe(32)}"


def _account_key() -> str:
    return secrets.token_urlsafe(32)


def _seal_key() -> str:
    return secrets.token_hex(32)
