"""The application that an installation serves, as its settings and its database make it."""

from pathlib import Path

import pytest

from deployments.demo import DISTRICT
from deployments.root import build
from deployments.serving import application
from deployments.settings import load
from services.catalogue import translated
from services.command import SYSTEM
from services.organisation import import_csv
from tests.founded import ON
from tests.web_house import Browser


@pytest.mark.parametrize(("code", "said"), [(DISTRICT, True), ("310101", False)])
def test_pages_say_that_everything_is_invented_where_it_is(
    tmp_path: Path, sqlite_url: str, code: str, said: bool
) -> None:
    settings = load(None, data=tmp_path, database_url=sqlite_url)
    env = build(settings)
    tree = f"code,name,level,parent_code\n{code},滨河区,区,\n"
    import_csv(env, SYSTEM, tree.encode(), key="tree", on=ON)
    page = Browser(application(settings, env)).get("/login").text
    assert (translated("demo data notice") in page) is said
    env.engine.dispose()
