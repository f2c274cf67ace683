"""What Chinese is not written like here, and why. The glossary lists the same rules."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_C = "[\u4e00-\u9fff]"
_STOP = "，。；：、！？"


@dataclass(frozen=True)
class Rule:
    """A pattern that Chinese here does not contain.

    Args:
        pattern: a regular expression.
        bad, good: an example it finds, and the better wording, which no rule finds.
        why: the reason, in English and in Chinese.
        everywhere: in comments and messages of the code too, not only in prose.
    """

    pattern: str
    bad: str
    good: str
    why: tuple[str, str]
    everywhere: bool = True


def _words(pairs: dict[str, str]) -> str:
    return "|".join(pairs)


# Word -> the word used here. A lookaround keeps out words that only contain it.
_TAIWAN = {
    "(?<![过流])程式": "程序", "伺服器": "服务器", "讯息": "消息", "预设": "默认", "支援": "支持",
    "资料[库夹]": "数据库", "网路": "网络", "伫列": "队列", "连线": "连接", "物件": "对象",
    "透过": "通过", "档案": "文件", "软体": "软件", "执行绪": "线程", "回传": "返回",
    "介面": "接口", "位元组": "字节", "快取": "缓存", "行程(?!序)": "进程", "丛集": "集群",
    "使用者": "用户", "逾时": "超时",
}  # fmt: skip
_OTHER_NAMES = {
    "发送者": "发件人", "寄件人": "发件人", "接[收受]者": "收件人", "接收人": "收件人",
    "偏移量": "位点", "消费组": "消费者组", "发布订阅": "发布/订阅", "事件环": "事件循环",
    "用户端": "客户端", "客户机": "客户端",
}  # fmt: skip

RULES = [
    Rule("[您咱]", "请您运行", "请你运行", ("one form of address, 你", "称呼只用“你”")),
    Rule(
        rf"{_C} ?[,;:!?] ?(?={_C})|{_C}\. ?(?={_C})",
        "网关死了, 消息还在",
        "网关死了，消息还在",
        ("full-width punctuation between Chinese words", "汉字之间用全角标点"),
    ),
    Rule(
        rf"{_C}[,;:!?.](?=\s|$)",
        "消息还在.",
        "消息还在。",
        ("a Chinese sentence ends full-width", "中文句子以全角标点收尾"),
        everywhere=False,
    ),
    Rule(
        rf"\({_C}[^-()]*\)|{_C}\(",
        "网关(进程)",
        "网关（进程）",
        ("brackets around Chinese are full-width", "括注中文用全角括号"),
        everywhere=False,
    ),
    Rule(
        rf"\"[^\"]*{_C}[^\"]*\"",
        '"至少一次"',
        "“至少一次”",
        ("quotation marks of Chinese are curved", "中文引号用弯引号"),
        everywhere=False,
    ),
    Rule(
        "[「」『』‘’]", "「至少一次」", "“至少一次”", ("mainland quotation marks", "引号统一用“”")
    ),
    Rule(
        "[０-９Ａ-Ｚａ-ｚ％＋－＝]",
        "３ 个网关，５０％",
        "3 个网关，50%",
        ("digits and Latin letters are half-width", "数字和字母用半角"),
    ),
    Rule(
        rf"{_C}[A-Za-z0-9]|(?<!\\)[A-Za-z0-9%]{_C}",
        "用Redis保存",
        "用 Redis 保存",
        ("a space between Chinese and Latin letters or digits", "中文与字母、数字之间空一格"),
    ),
    Rule(
        rf"{_C}`|`{_C}",
        "状态是`routed`",
        "状态是 `routed`",
        ("a space between Chinese and code", "中文与代码之间空一格"),
    ),
    Rule(
        rf"{_C} +{_C}|[{_STOP}] \S|\S [{_STOP}]",
        "Redis ，很快",
        "Redis，很快",
        ("no space inside Chinese or beside its punctuation", "汉字之间、全角标点两侧都不空格"),
        everywhere=False,
    ),
    Rule(
        rf"——|。。|{_C}\.\.\.",
        "它死了——消息还在",
        "它死了，消息还在",
        ("no dashes or dots: a comma, a colon, or a new sentence", "不用破折号和省略号拖长句子"),
    ),
    Rule(
        rf"被[^{_STOP}]{{0,12}}所(?!有|以)",
        "被网关所拒绝",
        "被网关拒绝",
        ("bookish passive", "书面腔的被动"),
    ),
    Rule(
        "被用[来于]|被称[为作]",
        "被用来保存",
        "用来保存",
        ("passive copied from English", "照搬英语被动"),
    ),
    Rule(
        "(?<!不)(?:能够?|可以?)被",
        "可以被其他网关接管",
        "其他网关可以接管",
        ("name who does it", "说出是谁做的"),
    ),
    Rule(
        rf"进行(?!中|[{_STOP}]|$)|加以|予以",
        "对消息进行转发",
        "转发消息",
        ("the verb says it alone", "动词自己就够了"),
    ),
    Rule(
        rf"(?:^|[{_STOP}])当[^{_STOP}]{{2,30}}时",
        "网关很忙，当它重启的时候",
        "网关很忙，它重启时",
        ("'when' needs one word", "一个“时”就够了"),
    ),
    Rule(
        rf"通过[^{_STOP}]{{1,20}}来(?!自|的|不)",
        "通过租约来发现",
        "用租约发现",
        ("'by means of' needs one word", "一个“用”就够了"),
    ),
    Rule(
        "之所以",
        "它之所以快，是因为往返少",
        "它快，因为往返少",
        ("cause and effect need one link", "因果只要一个连词"),
    ),
    Rule(
        rf"(?<!相)对于|[{_STOP}]?而言",
        "对于网关而言",
        "对网关来说",
        ("bookish 'as far as it concerns'", "书面腔"),
    ),
    Rule("使得|致使", "这使得消息丢失", "消息因此丢失", ("bookish 'causes'", "书面腔")),
    Rule(
        rf"在[^{_STOP}]{{1,20}}的情况下",
        "在崩溃的情况下",
        "崩溃时",
        ("'when' needs one word", "一个“时”就够了"),
    ),
    Rule(
        "如果[^。；]*的话",
        "如果它死了的话",
        "如果它死了",
        ("said once is enough", "“如果”已经说了"),
    ),
    Rule(
        "其(?!他|余|实|中|间|次|它)[^。|]*其(?!他|余|实|中|间|次|它)",
        "网关续租其租约，并刷新其用户",
        "网关续租约，并刷新自己的用户",
        ("at most one 其 in a sentence; better none", "一句话里“其”至多一个，最好没有"),
    ),
    Rule(
        rf"(?:[^{_STOP}的“”（）`|]{{1,14}}的){{4}}",
        "网关的用户的连接的状态的记录",
        "网关上每条连接的状态记录",
        ("a chain of 的 is a translated noun phrase", "一串“的”是译文里的长定语"),
    ),
    Rule(
        rf"作为一[个种]|是一[个种][^{_STOP}]{{16,}}的",
        "这是一个能够在几台不同的机器之间转发用户消息的系统",
        "这个系统在几台机器之间转发用户的消息",
        ("start with the verb, not with 'it is a ... that'", "先说动作，不说“是一个……的”"),
    ),
    Rule(
        "(?:消息|网关|连接|客户端|进程|服务器|记录)们",
        "网关们共享 Redis",
        "网关共享 Redis",
        ("things take no 们", "物没有“们”"),
    ),
    Rule(
        "值得注意|需要注意的是|总而言之|综上所述|众所周知|不难看出|换句话说|事实上",
        "值得注意的是，它会重试",
        "它会重试",
        ("filler", "空话"),
    ),
    Rule(
        "优雅",
        "优雅退出",
        "有序退出",
        ("a programmer's 'graceful' is 有序", "程序员说的 graceful 是“有序”"),
    ),
    Rule(_words(_TAIWAN), "伺服器逾时", "服务器超时", ("mainland terms", "用大陆的说法")),
    Rule(
        _words(_OTHER_NAMES),
        "接收者的偏移量",
        "收件人的位点",
        ("one name for one thing", "一物一名"),
    ),
]

LONGEST_CLAUSE = 30  # characters between two punctuation marks; what was here before had 25
_PAUSE = re.compile(rf"[{_STOP}（）“”=+×\n|]")


def faults(text: str, *, prose: bool = True) -> Iterator[str]:
    """Yield what is wrong with a piece of Chinese.

    Args:
        text: with its code spans, but without link targets.
        prose: a text for readers; otherwise lines of code.
    """
    for rule in RULES:
        if prose or rule.everywhere:
            for match in re.finditer(rule.pattern, text, re.MULTILINE):
                around = text[max(0, match.start() - 10) : match.end() + 10]
                yield f"{around!r}: {rule.why[0]} ({rule.bad} -> {rule.good})"
    for one in re.findall(_C, text):
        if not _is_simplified(one):
            yield f"{one!r}: a traditional or rare character"
    if prose:
        for clause in _PAUSE.split(text):
            if len(re.findall(_C, clause)) > LONGEST_CLAUSE:
                yield f"{clause!r}: no reader's breath lasts so long"


def _is_simplified(character: str) -> bool:
    """Whether GB 2312, the set of common simplified characters, has it."""
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True
