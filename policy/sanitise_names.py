"""Where a clause names a person: by surname and what stands beside it, or by 某 in place of it.

A surname alone means nothing, most are everyday words as well: who is named must stand where
people are named, and must not read as a word.
"""

import re
from collections.abc import Iterator

from policy.sanitise_text import Place

TITLES = (
    "书记|主任|局长|处长|科长|镇长|区长|县长|市长|乡长|村长|所长|站长|院长|校长|园长|经理|董事长"
    "|委员|部长|主席|组长|队长|会长|厂长|会计|出纳|主任科员|调研员|负责人"
)
COMPOUND = "欧阳|司马|上官|诸葛|东方|皇甫|尉迟|公孙|慕容|令狐|司徒|夏侯|轩辕|端木|长孙|宇文"
SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许邓韩冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏"
    "吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫阎段雷龙黎史陶贺毛郝顾龚邵万覃"
    "武钱戴严莫孔向汤温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符"
    "舒阮柯纪梅童凌毕单季裴霍涂成苗谷盛曲翁冉骆蓝路游辛靳管柴蒙鲍华喻祁蒲房滕屈饶解牟艾尤阳时穆农"
)
_WORDS = {
    "高": "度级效质标层位新发压空低速铁校考等水额中温", "方": "面案式便向法位针圩",
    "任": "务职何期命免用意选", "于": "是此", "安": "全排置装静", "向": "上下群社县纪区党",
    "成": "立员效果绩本长功都为案品", "时": "间期任限有候", "管": "理控辖护线", "程": "序度式",
    "金": "额融属", "余": "额下", "万": "元人", "钱": "款物财", "白": "酒天条", "马": "上路",
    "陈": "旧述设列", "张": "贴榜扬", "王": "牌家", "李": "子家", "毛": "病", "田": "间地",
    "江": "海苏西", "施": "工行", "许": "多可诺", "文": "件明化字书号", "严": "格重肃密厉查控谨",
    "包": "括庇保干案村", "石": "油材", "左": "右", "易": "地发于", "武": "装",
    "关": "于键注系心停口",
    "周": "期边报年转一二三四五六日", "郑": "重", "曾": "经", "夏": "季", "陆": "续地", "段": "落",
    "雷": "同厉", "龙": "头", "黎": "明", "贺": "信电", "顾": "问客虑",
    "温": "馨", "范": "围畴本文",
    "单": "位独个项据", "季": "度末", "路": "段线面灯", "房": "屋产租", "解": "决释除读答",
    "游": "客览", "华": "东北南中", "纪": "委检律工实要", "章": "程节", "申": "请报诉领购",
    "盛": "行", "农": "村民业户", "阳": "光", "欧": "元", "齐": "全抓", "康": "复养", "庄": "严",
    "祝": "贺", "尚": "未有", "宁": "可", "童": "年", "苗": "头木", "谷": "物",
    "曲": "折", "杜": "绝",
    "何": "种时", "林": "业地木", "胡": "同乱", "叶": "片", "史": "料", "柴": "油", "梅": "雨",
    "毕": "业竟", "符": "合", "焦": "点虑", "牛": "奶肉", "洪": "水", "付": "款费息",
}  # fmt: skip
"""What makes a word of a surname: 高度 is nobody."""
_NOT_GIVEN = "的了在和与被因对为是有等同志及或并将已于也则就把向从由经至其该某各本此中内外上下"
_PLACES = "村镇街区县市乡路店站场院校社局部门处科室所办组党委会司厂队校园库案件款项物费"
_GIVEN = r"[一-鿿][一-鿿]?"
_NAME = rf"(?:(?:{COMPOUND})|[{SURNAMES}]){_GIVEN}"
_BEFORE = (
    "信访人|举报人|检举人|控告人|反映人|来信人|来访人|上访人|投诉人|当事人|嫌疑人|证人|职工|村民|居民"
    f"|党员|干部|反映|举报|控告|检举|核查|约谈|关于|给予|对|将|由|{TITLES}"
)
_AFTER = (
    "同志|的|在|因|被|涉嫌|违|收|受|利用|严重|有关|相关|存在|等|予以|采取|进行|立案|留置|初核|线索|问题"
    "|一案|案|挪|贪|虚|插|本人|称|要求|提供|多次|负责|牵头|分管|[、，。；:()“”]|$"
)
_DONE_TO = (
    f"同志|{TITLES}|被|因|涉嫌|等[0-9一二三四五六七八九十]{{0,2}}[人名]|(?:有关)?(?:问题)?线索|一案|初核"
    "|严重违|违[纪法规]|立案|留置|收受|利用|挪用|贪污"
)
_MASKED = re.compile(
    rf"(?:(?:{COMPOUND})|[{SURNAMES}])(?:某[某甲乙丙丁一-十]?[甲乙丙丁]?|[×XxΧ*○〇]{{1,2}}(?![A-Za-z0-9*]))"
)
_USUAL = re.compile("张三|李四|王五|赵六|孙七|周八|吴九|郑十")
"""Names of nobody, which people write in place of one."""
_NAMED = re.compile(rf"(?:{_BEFORE})(?P<name>{_NAME})(?={_AFTER})")
_LEADS = re.compile(rf"(?:^|[、(:“])(?P<name>{_NAME})(?={_DONE_TO})")


def names(clause: str) -> Iterator[Place]:
    """Where persons are named in a clause, each place once."""
    seen: set[int] = set()
    for start, end in _candidates(clause):
        if start not in seen:
            seen.add(start)
            yield start, end


def _candidates(clause: str) -> Iterator[Place]:
    for found in _MASKED.finditer(clause):
        yield found.span()
    for found in _USUAL.finditer(clause):
        yield found.span()
    for pattern in (_NAMED, _LEADS):
        for found in pattern.finditer(clause):
            if _is_name(found["name"]):
                yield found.span("name")


def _is_name(text: str) -> bool:
    """Whether a surname with what follows it reads as a name, and not as a word or a place."""
    given = text[2:] if text[:2] in COMPOUND.split("|") else text[1:]
    if not given or any(character in _NOT_GIVEN for character in given):
        return False
    return given[0] not in _WORDS.get(text[0], "") and given[-1] not in _PLACES
