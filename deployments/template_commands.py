"""``fourduties problem``, ``ledger`` and ``org template``: workbooks to fill in."""

from pathlib import Path
from typing import Annotated

import typer

from services.errors import DutiesError
from services.template import ledger_template, organisation_template, problem_template

NewFile = Annotated[Path, typer.Argument(help="要新建的文件（.xlsx），已有的不覆盖")]


def problems(file: NewFile) -> None:
    """新建问题清单、任务清单的空白表（Excel），带下拉列表。"""
    _write(file, problem_template())


def ledgers(file: NewFile) -> None:
    """新建存量整改台账的空白表（Excel）：问题、任务、延期，带下拉列表。"""
    _write(file, ledger_template())


def organisations(file: NewFile) -> None:
    """新建组织、职务、任职、分管、组织关系的空白表（Excel），带下拉列表。"""
    _write(file, organisation_template())


class AlreadyThere(DutiesError):
    """这个文件已经有了，没有覆盖；请换一个名称。"""

    status = 409
    code = "already_there"


def _write(file: Path, data: bytes) -> None:
    try:
        with file.open("xb") as new:
            new.write(data)
    except FileExistsError as error:
        raise AlreadyThere from error
    typer.echo(f"已写入 {file}")
