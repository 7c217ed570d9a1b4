"""Words that people put into passwords and that a guesser tries first.

A list of our own, in lower case. A word belongs here when it is a usual word for a secret or a
log-in, a usual first word of a password, or a word of our field as its sound is written. Runs of
letters, digits and keys need not be listed: the rule of ``policy.password`` knows them.
"""

_WORDS = """
password passwd passw secret letmein welcome changeme default login admin administrator root
guest user test demo system server master manager monitor operator security audit office hello
iloveyou sunshine princess dragon monkey football baseball superman batman michael jordan
charlie qwerty azerty abc asdf zxcv mima kouling denglu guanliyuan xitong anquan shenji zhanghao
yonghu woaini wobuzhidao nihao zhongguo china beijing shanghai guangzhou shenzhen renmin fuwu
jiayou fendou gongzuo bangong danwei jiguan dangwei dangzu dangyuan dangjian dangwu dangxiao
jiwei jijian jiancha xuncha xunshi zhenggai zeren fuzeren shuji zhuren buzhang weiyuan
lianluoyuan zuzhi zuzhibu xuanchuan xuanchuanbu zhengfu jiedao shequ juweihui cunwei quwei
shiwei congyan zhidang sizexietong size xietong fourduties kaihu chushi chushimima
"""
GUESSABLE = frozenset(_WORDS.split())
