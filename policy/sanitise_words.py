"""What tells case material from work with cases, by the words of one clause (domain §7.2).

Public reports count clues, petitions and cases, and speak of how they are handled; they do not
say what became of one person, what a record holds, or who reported it. Every pattern sees a
bounded stretch of text, so a text takes a time in proportion to its length.
"""

import re
from collections.abc import Iterator

from policy.sanitise_names import TITLES
from policy.sanitise_text import Place

_WHO = (
    rf"(?:{TITLES}|主要领导|班子成员(?!中)|该同志|该干部|该员工|本人|此人|当事人"
    "|其(?![他中余次它实]))"
)
_REPORTER = "(?:(?:举报|检举|控告|投诉举报|信访|来信|来访|上访|反映|知情)人|(?:举报|检举|控告)者)"
_LETTER = "(?:举报信|检举信|匿名信|来信|控告[书信]|举报材料|检举材料|控告材料|信访件|检举控告材料)"
_RECORD = "(?:谈话|询问|讯问)笔录"
_DEED = (
    "交代了?|供述|供认|承认|退缴|退赃|串供|涉案|强制措施|刑事|拘留|逮捕|宣判|判处|带走|吃空饷|回扣|侵吞|行贿"
    "|受贿|收受|索要|索贿|贪污|挪用|专案组|落马|双开|开除党籍|违[纪法]所得|账户[^账]{0,4}冻结|冻结[^冻]{0,4}账户"
    "|(?:配合|接受)[^配接]{0,8}(?:调查|审查)|收了[^收]{0,8}(?:元|钱|礼|红包|好处)|送[^送]{0,4}(?:红包|礼金|好处)"
    "|(?:纪委|监委|检察院|公安)[^纪监]{0,6}(?:查|抓|带走|找)"
    "|(?:写信|联名|发帖|上网)(?:告|反映|揭发|举报)"
)
"""What is said of one person only when they are accused of something."""
_GENERAL = re.compile(
    "案例|警示|学习|党课|剖析|防范|预防|严禁|杜绝|不得|治理|整治|专项|风险|个别|有的|部分|少数|一些|各级|每名"
)
"""What makes a sentence speak of nobody in particular."""
_ACCUSED = re.compile(_DEED)
_ACCUSES_TITLE = re.compile(
    rf"(?:{TITLES})[^个]{{0,16}}(?:{_DEED})|涉案的?[^涉]{{0,4}}(?:{TITLES})"
    rf"|(?:{TITLES})的(?:问题)?线索"
)
_DID = "收受|索取|侵占|挪用|套取|贪污|受贿|打招呼|插手|占用|违规|吃拿卡要|谋利|饮酒|出租|殴打|作风"
CASE_WORDS = re.compile(
    "举报|信访|上访|线索|初核|立案|留置|函询|审查|调查|违纪|违法|违规|违反|涉嫌|处分|诫勉|被查|查处"
    "|控告|检举|处理意见|司法|受贿|行贿|贪污|挪用|收受|当事人|嫌疑|问题线索|(?<![方预备档答提议草法文个病])案"
    "(?!例|头|板|由)"
)
"""What makes a name beside it the name of somebody in a case."""
ACCUSES = re.compile(
    "被|涉嫌|违[纪法规反]|收受|受贿|行贿|贪污|挪用|留置|初核|处分|诫勉|反映|控告|检举|函询"
    "|(?:信访|举报|上访|当事)人|举报(?:材料|信)|的(?:问题)?线索|立案"
)
DUTY = re.compile(
    "负责|牵头|分管|主持|带队|带头|包案|轮值|接待|部署|签批|组长|督查|召开|督办|联系|协调|化解|担任|听取"
)
"""What somebody does in their office: a name beside it accuses nobody."""
_HANDLING = re.compile(
    "规范|制度|机制|质量|流程|程序|办法|培训|(?<!按)(?<!按照)规定|权限|台账|指引|样式|讲授|归档|不全|滞后|一律|凡"
)
"""What makes a clause speak of how such things are handled."""
_PROTECTS = re.compile("保密|保护|泄[露密]|合法权益|奖励|满意|打击报复|澄清|奖金")
_DONE = "(?:立案|留置|双规|逮捕|查处|审查|带走|移送司法|采取留置|组织审查)"
_MATERIAL = (
    rf"被[^被]{{0,8}}{_DONE}",
    r"采取留置措施|接受(?:组织|纪律|监察|区|市)?[^接]{0,4}审查|正在接受[^接]{0,4}审查",
)
_OF_SOMEBODY = re.compile(
    rf"{_WHO}[^凡]{{0,12}}(?:{'|'.join(_MATERIAL)})"
    rf"|对[^对]{{0,10}}{_WHO}[^对]{{0,6}}(?:立案|留置|初核|谈话函询|函询)"
)
_OF_SOME = re.compile(
    rf"[0-9一二三四五六七八九十两数几]{{1,4}}[名人位个][^凡]{{0,16}}"
    rf"(?:{'|'.join(_MATERIAL)}|受贿|追究刑事|判处|移送|落马|接受[^接]{{0,4}}审查)"
)
_SURE = re.compile(
    r"经初核|初核(?:发现|认定|对象|范围)|扩大初核|初核(?:情况|方案|结果)[::]|初核报告(?:认定|显示|[::])"
    r"|拟(?:予以?|采取|转|进一步)?(?:立案|初核|留置)|拟采取[^拟]{0,4}初核"
    r"|另案处理|证人证言|含证言|供[认述]|退赃|取证材料|外围取证|银行流水|审查调查对象|留置对象"
    r"|审查调查报告(?:认定|显示)|案卷编号|案情(?:通报)?[::]|指定地点[^指]{0,4}谈话|审查组已|立案后"
    r"|线索(?:编号|内容|详情|原文)(?:[::为是])|线索如下|线索处置意见[::]|线索反映该?[^线]{0,8}"
    rf"(?:{TITLES}|单位)|函询(?:回复|结果)(?:称|显示|[::])|函询(?:回复|结果)显示|核查组将"
    rf"|(?:关于|反映).{{0,12}}(?:{TITLES}).{{0,8}}线索"
    rf"|(?:当事人|其|本人)(?:交代|承认|供)|带走调查|初核情况(?!的?(?:汇总|统计))"
    rf"|{_RECORD}(?:显示|证实|证明|记载|复印|原件|称|[::])|(?:根据|附件[::]?|见){_RECORD}"
)
_LIKELY = re.compile(
    rf"{_RECORD}|案情|审查调查(?:方案|报告)|初核报告(?:样本)?|线索来源|(?:根据|据)举报|举报线索(?!核查|办理|受理|处置|渠道)"
    r"|(?:正在|已)(?:初核|立案审查|留置)|采取留置措施(?![0-9]|的)|关于[^关]{1,16}线索(?:$|\.)"
)
_INFORMANT = re.compile(
    rf"{_REPORTER}(?:的?(?:姓名|住址|单位|身份|联系方式|手机|本人|信息)|、){{0,4}}[^举]{{0,3}}?"
    r"(?:系|应?是|为(?!了)|家住|住[在址]|见附|[::]|(?:已|均)?(?:登记在册|核实)|要求对|要求追究|提供了?|称"
    r"|就是|反映(?!强烈))"
    rf"|{_LETTER}(?:称|说|内容|原文|原件|复印|[::])|{_LETTER}[^来]{{0,4}}反映[^来]{{0,8}}(?:{TITLES})"
    r"|(?:写信|来信|来电|打电话|打来电话)(?:人|者|举报的?)?[^来]{0,4}(?:是|系|为(?!了)|自称|署名)|信中(?:反映|称|写|说|提到)"
    "|(?:知情|匿名)(?:群众|人士|人|者|信件)[^知]{0,4}(?:透露|称|说|举报|提供|反映)|举报的人?(?:是|系)"
    r"|举报(?:称|说|反映称)|举报内容[::]|检举材料|控告书"
    rf"|(?:群众|有人|知情人|职工|居民|村民|匿名|接|据)[^举]{{0,4}}举报(?![人渠电信])[^举]{{0,8}}"
    rf"(?:{TITLES})"
    rf"|举报[^举]{{0,6}}(?:{TITLES})[^举]{{0,12}}(?:{_DID})"
)
_LETTERS = re.compile("举报材料|举报信(?!息|箱|访)|检举信|控告信|匿名信|(?:接|据)[^举]{0,4}举报$")
_HIDES = re.compile(r"绝密|机密|秘密")
_ONE = "(?:绝密|机密|秘密)"
MARK = re.compile(rf"{_ONE}[★☆*]|密级:?{_ONE}|[(\[【〔<《]{_ONE}[)\]】〕>》]")
"""How a classified paper is marked: 秘密★1年, 密级：机密, 【绝密】."""
_CLASSED = re.compile(rf"{_ONE}[级件]")
_TRIGGER = re.compile(
    "[举检控信访线初立置函案查笔密诉涉违处诫供据赃映受挪嫌司带当认交收吃退冻调回串专落双刑判拘逮索送告抓监强纪处]|[0-9]"
)


def may_hold(text: str) -> bool:
    """Whether a text has a character without which nothing here can be found."""
    return _TRIGGER.search(text) is not None


def accuses(sentence: str) -> bool:
    """Whether a sentence tells what is told of one person only in a case."""
    return _ACCUSED.search(sentence) is not None and not _GENERAL.search(sentence)


def case_material(clause: str) -> Iterator[tuple[Place, bool]]:
    """What a clause tells of a case, and whether that is beyond doubt."""
    of_title = None if _GENERAL.search(clause) else _ACCUSES_TITLE.search(clause)
    of_some = _OF_SOME.search(clause)
    found = _OF_SOMEBODY.search(clause) or _SURE.search(clause) or (not of_some and of_title)
    handled = _HANDLING.search(clause) is not None
    if found and not handled:
        yield found.span(), True
        return
    found = of_some or _LIKELY.search(clause)
    if found and not handled:
        yield found.span(), False


def informant(clause: str) -> Iterator[tuple[Place, bool]]:
    """What a clause tells of who reported something, or of what they wrote."""
    if _PROTECTS.search(clause) or _HANDLING.search(clause):
        return
    found = _INFORMANT.search(clause)
    if found:
        yield found.span(), True
        return
    found = _LETTERS.search(clause)
    if found:
        yield found.span(), False


def marks(text: str) -> Iterator[tuple[Place, bool]]:
    """Marks of classified papers, and words that speak of such a paper."""
    if not _HIDES.search(text):
        return
    for pattern, sure in ((MARK, True), (_CLASSED, False)):
        for found in pattern.finditer(text):
            yield found.span(), sure
