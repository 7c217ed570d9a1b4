"""The commands of accounts, after all others: each in a scene where it can be carried out."""

from dataclasses import replace
from typing import Any

from policy.administration import AdministratorRole
from services import account_care, administration, factor, own_sessions
from services.account_making import make_accounts
from services.accounts import change_password
from services.administration import Administration
from services.command import SYSTEM
from services.env import SignInRules
from services.reads import record_reads
from tests.account_scene import KEY, account_id, bare, code_of, enter
from tests.fault_scene import Act, Scene, move

WORDS = "seven quiet rivers", "eight quiet rivers"


def _who(scene: Scene, login: str = "outsider") -> Any:
    """Somebody signed in, who is none of those that other moves need."""
    if login not in scene.kept:
        rules = SignInRules(key=KEY)
        scene.case.world.env = replace(scene.env, sign_in=rules)
        scene.kept[login] = enter(scene.env, login)
    return scene.kept[login]


def _entry(scene: Scene, key: str) -> factor.Entry:
    scene.clock.forward(seconds=60)
    return factor.Entry(code_of(scene.env, scene.kept["outsider"]), "::1", key)


@move("administrator.appoint")
def _appoint(scene: Scene) -> Act:
    role = AdministratorRole.SECURITY
    of: Any = {"role": role, "organisation": "district"}

    def act(key: str) -> str:
        login = administration.appoint_administrator(scene.env, SYSTEM, **of, key=key)
        scene.kept["administrator"] = login
        return login

    return act


@move("administrator.dismiss")
def _dismiss(scene: Scene) -> Act:
    login = scene.kept["administrator"]
    return lambda key: administration.dismiss_administrator(scene.env, SYSTEM, login=login, key=key)


@move("account.make", keyed=False)
def _make(scene: Scene) -> Act:
    bare(scene.case.world, "outsider2", "other")
    unit = scene.case.world.organisations["other"]
    return lambda key: make_accounts(scene.env, SYSTEM, unit_id=unit, key=key)


@move("session.act_as")
def _act_as(scene: Scene) -> Act:
    post: Any = {"post_id": scene.case.world.posts["outsider"]}
    who = _who(scene)
    return lambda key: own_sessions.act_as(scene.env, who, **post, key=key)


@move("session.end_others")
def _end_others(scene: Scene) -> Act:
    enter(scene.env, "outsider")
    return lambda key: own_sessions.end_others(scene.env, _who(scene), key=key)


@move("factor.begin")
def _begin(scene: Scene) -> Act:
    return lambda key: factor.begin_factor(scene.env, _who(scene), key=key)


@move("factor.confirm")
def _confirm(scene: Scene) -> Act:
    entry = _entry(scene, "")
    return lambda key: factor.confirm_factor(scene.env, _who(scene), replace(entry, key=key))


@move("factor.drop")
def _drop(scene: Scene) -> Act:
    entry = _entry(scene, "")
    return lambda key: factor.drop_factor(scene.env, _who(scene), replace(entry, key=key))


@move("factor.recover")
def _recover(scene: Scene) -> Act:
    factor.begin_factor(scene.env, _who(scene), key="again for recovering")
    return _of_outsider(scene, account_care.recover_factor)


@move("session.end_all")
def _end_all(scene: Scene) -> Act:
    return _of_outsider(scene, account_care.end_all_sessions)


@move("account.close")
def _close(scene: Scene) -> Act:
    return _of_outsider(scene, account_care.close_account)


@move("account.reopen")
def _reopen(scene: Scene) -> Act:
    return _of_outsider(scene, account_care.reopen_account)


@move("account.reset", keyed=False)
def _reset(scene: Scene) -> Act:
    return _of_outsider(scene, account_care.reset_password)


def _of_outsider(scene: Scene, act: Any) -> Act:
    of = {"account_id": account_id(scene.env, "outsider")}
    return lambda key: act(scene.env, SYSTEM, **of, key=key)


@move("account.change_password", keyed=False)
def _change(scene: Scene) -> Act:
    slip = account_care.reset_password(
        scene.env, SYSTEM, account_id=account_id(scene.env, "outsider"), key="a slip for changing"
    )
    who = enter(scene.env, "outsider", slip.password)
    given: Any = {"old": slip.password, "new": WORDS[0], "address": "::1"}
    return lambda key: change_password(scene.env, who, **given)


@move("record.read", keyed=False)
def _read_record(scene: Scene) -> Act:
    scene.clock.forward(minutes=2)
    people, on = scene.case.world.people, scene.clock().date()
    at = Administration(people["operator"], AdministratorRole.AUDIT, 1, "", "/1/", on)
    return lambda key: record_reads(scene.env, at, [people["outsider"], people["secretary"]])
