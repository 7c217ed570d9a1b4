"""The proposed durations and ladders of domain §1.9, each with its basis; offices change them.

A case freezes the policy it starts with (design §6), so this file only reaches new cases.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from policy.duration import Duration, DurationKind
from policy.ladder import Ladder, Route, Rung, RungKind
from policy.sampling import Portion

OURS = "本系统建议值，无上位依据"
ROW = "row"
_WD, _DAYS, _MONTHS = DurationKind.WORKING_DAYS, DurationKind.DAYS, DurationKind.MONTHS


@dataclass(frozen=True)
class Policy:
    """Durations and ladders by key: what ``due=`` and ``ladder=`` of a script name; and how many of
    what is verified are drawn for another look."""

    durations: Mapping[str, Duration]
    ladders: Mapping[str, Ladder]
    portions: Mapping[str, Portion] = field(default_factory=dict)

    def ladder_for(self, ladder: str, due_key: str) -> Ladder | None:
        """The ladder of a step as its deadline makes it; None for a step without one ('').

        KeyError for a name the policy does not have.
        """
        if not ladder or not due_key:
            return None
        return self.ladders[ladder].for_due(self.durations[due_key].kind)


def to_json(policy: Policy) -> dict[str, Any]:
    """Plain JSON of a policy, as it is frozen onto a case."""
    return {
        "durations": {key: d.as_json() for key, d in policy.durations.items()},
        "ladders": {key: ladder.as_json() for key, ladder in policy.ladders.items()},
        "portions": {key: portion.as_json() for key, portion in policy.portions.items()},
    }


def from_json(data: Mapping[str, Any]) -> Policy:
    """The policy that :func:`to_json` wrote; KeyError or ValueError for anything else."""
    return Policy(
        durations={key: Duration.from_json(d) for key, d in data["durations"].items()},
        ladders={key: Ladder.from_json(ladder) for key, ladder in data["ladders"].items()},
        portions={key: Portion.from_json(one) for key, one in data.get("portions", {}).items()},
    )


_ENTERPRISE = "一家企业巡察手册（2026年）所载期限"
_TO_VERIFY = "，原文待核实"
_COUNTED: tuple[tuple[str, DurationKind, int, str, str], ...] = (
    ("rectification.assign", _WD, 5, "落实点题、领题等责任", OURS),
    ("rectification.plan", _WD, 15, "制定整改方案", _ENTERPRISE),
    ("rectification.plan_city", _DAYS, 30, "制定整改方案（市级）", "巡视惯例" + _TO_VERIFY),
    ("rectification.review", _WD, 5, "会审整改方案", OURS),
    ("rectification.revise", _WD, 5, "修改整改方案", OURS),
    ("rectification.approve", _WD, 3, "审批", OURS),
    ("rectification.confirm", _WD, 5, "责任部门确认任务完成", OURS),
    ("rectification.apply", _WD, 5, "申请销号", OURS),
    ("rectification.sign", _WD, 3, "签署", OURS),
    ("rectification.verify", _WD, 10, "核查验收", OURS),
    ("rectification.draw", _WD, 5, "抽取复核样本", OURS),
    ("rectification.standing", _WD, 10, "报告长期坚持事项的情况", OURS),
    (
        "rectification.review_within",
        _MONTHS,
        6,
        "下次复查不晚于",
        "一县巡察规定：整改一般半年、最长不超过一年",
    ),
    ("rectification.report", _WD, 10, "报送整改报告", OURS),
    ("rectification.special_dlm_days", _DAYS, 30, "专题民主生活会", _ENTERPRISE),
    ("rectification.concentrated_months", _MONTHS, 3, "集中整改期", "一家省级部门巡察实践：3个月"),
    (
        "rectification.concentrated_city",
        _MONTHS,
        6,
        "集中整改期（巡视）",
        "巡视工作条例" + _TO_VERIFY,
    ),
    ("rectification.report_due", _MONTHS, 2, "整改情况报告", "巡视工作条例（2015年）第二十七条"),
    ("rectification.evaluation_after_months", _MONTHS, 6, "整改成效评估", "高密市量化评估做法"),
    ("ladder.duty", _WD, 5, "督办、研判事项", OURS),
    ("extension.answer", _WD, 3, "答复延期申请", OURS),
    ("operator.settle", _WD, 2, "处理失败的自动事项", OURS),
    ("vacancy.name_holder", _WD, 5, "明确空缺职务的接任人", OURS),
    ("copy_notice.convene_wd", _WD, 5, "抄告后召集研究", "榕江县廉情抄告单制度"),
    ("copy_notice.reply_wd", _WD, 10, "抄告回告", "榕江县廉情抄告单制度"),
    ("copy_notice.ack_wd", _WD, 2, "抄告签收", OURS),
    ("opinion_reply_wd", _WD, 5, "回复党风廉政意见", OURS),
    (
        "accountability.formalities_days",
        _DAYS,
        30,
        "问责决定后办理手续",
        "问责条例（2016年）第九条",
    ),
    ("accountability.appeal_days", _DAYS, 30, "问责申诉", "问责条例（2019年）" + _TO_VERIFY),
    (
        "accountability.appeal_decision_days",
        _DAYS,
        30,
        "申诉处理",
        "问责条例（2019年）" + _TO_VERIFY,
    ),
    ("secretary_action_wd", _WD, 10, "项目变红后书记采取措施", OURS),
    ("transmission_ack_wd", _WD, 5, "压力传导回执", OURS),
    ("unit_inclusion_wd", _WD, 10, "所辖单位纳入清单", OURS),
    ("follow_up_red_wd", _WD, 10, "其他责任主体跟进纠偏", OURS),
    ("archive_pending_wd", _WD, 10, "廉政档案补充", OURS),
    ("clarification_start_wd", _WD, 5, "启动澄清正名", OURS),
    ("round_hearing_days", _DAYS, 30, "巡察轮次结束后听取汇报", OURS),
    ("study_rectify_wd", _WD, 20, "学习整改", OURS),
    ("ecology_plan_wd", _WD, 15, "政治生态整改方案", OURS),
    ("talk_wd", _WD, 10, "谈话提醒", OURS),
    ("org_transfer_wd", _WD, 15, "组织处理移送", OURS),
    ("dual_report_wd", _WD, 3, "双报告", OURS),
    ("major_case_meetings_days", _DAYS, 60, "重大案件专题会", OURS),
    ("objection_window_wd", _WD, 10, "评议异议期", OURS),
    ("self_criticism_days", _DAYS, 15, "书面检查", OURS),
)
_FIXED = (
    ("arrangement_due", "01-15", "年度工作部署", OURS),
    ("annual_report", "01-31", "年度报告", OURS),
)
_DURATIONS = (
    {key: Duration(kind, n, basis, label) for key, kind, n, label, basis in _COUNTED}
    | {
        key: Duration(DurationKind.FIXED, 0, basis, label, day=day)
        for key, day, label, basis in _FIXED
    }
    | {ROW: Duration(DurationKind.ROW, 0, "任务清单所列完成时限", "按清单时限")}
)

_TO_HOLDER = (
    Rung(1, RungKind.REMIND, -15, Route.HOLDER, undated_only=True),
    Rung(2, RungKind.REMIND, -3, Route.HOLDER),
    Rung(3, RungKind.DUE, 0, Route.HOLDER),
)
_DEFAULT = Ladder(
    key="default",
    rungs=(
        *_TO_HOLDER,
        Rung(4, RungKind.SUPERIOR, 5, Route.SUPERIOR),
        Rung(5, RungKind.SUPERIOR2, 15, Route.SUPERIOR),
        Rung(6, RungKind.DELIBERATE, 25, Route.DISCIPLINE),
    ),
    legal_basis="颜色参照邹城、白河做法；层级与天数为" + OURS,
    label="一般升级阶梯",
)
_FIVE_LETTERS = Ladder(
    key="five_letters",
    rungs=(
        *_TO_HOLDER,
        Rung(4, RungKind.LETTER_SUPERVISE, 5, Route.INSPECTION),
        Rung(5, RungKind.LETTER_GUIDE, 15, Route.INSPECTION),
        Rung(6, RungKind.LETTER_REMIND, 25, Route.INSPECTION),
        Rung(7, RungKind.LETTER_WARN, 35, Route.DISCIPLINE),
        Rung(8, RungKind.DELIBERATE, 45, Route.DISCIPLINE),
    ),
    legal_basis="某市巡察整改“五书制”；间隔天数与签发人为" + OURS,
    label="五书督办阶梯",
)
_PORTIONS = {
    "rectification.sample": Portion(
        50, "一家企业系统演示数据：抽查不少于50%；" + OURS, "抽查复核的比例"
    )
}
DEFAULT = Policy(
    _DURATIONS, {ladder.key: ladder for ladder in (_DEFAULT, _FIVE_LETTERS)}, _PORTIONS
)
