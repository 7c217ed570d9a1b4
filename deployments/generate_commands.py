"""``fourduties org generate``: an organisation of a given size, as a workbook to import."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from deployments.generating import SEED, TIERS, generate, workbook
from deployments.template_commands import AlreadyThere


class Size(StrEnum):
    """The tiers by name."""

    DEMO = "demo"
    CITY = "city"
    STRESS = "stress"


def organisations(
    out: Annotated[Path, typer.Option(help="要新建的文件（.xlsx），已有的不覆盖")],
    tier: Annotated[Size, typer.Option(help="规模")] = Size.DEMO,
    seed: Annotated[int, typer.Option(help="人员姓名的种子，相同则文件相同")] = SEED,
) -> None:
    """按公式生成组织、职务、任职、分管、组织关系（人员均为虚构），存为可以导入的工作簿。"""
    made = generate(TIERS[tier], seed)
    data = workbook(made)
    try:
        with out.open("xb") as new:
            new.write(data)
    except FileExistsError as error:
        raise AlreadyThere from error
    people = len({term.code for term in made.terms})
    typer.echo(f"已生成：组织 {len(made.units)} 个、职务 {len(made.posts)} 个、人员 {people} 名")
