"""Names, numbers and addresses that pass every check and can belong to nobody."""

import random

_USCC_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_SURNAMES = "赵钱孙李周吴郑王冯陈卫蒋沈韩杨朱秦许何吕施张孔曹严华金魏陶姜谢邹章苏潘葛范彭鲁马方任袁柳"
_GIVEN = "安博晨达恩帆刚航佳楷岚明宁鹏启睿思涛维翔雅卓怡琳敏静慧萍芳洁丹雪梅兰菊英霞玲燕"
_TRADE = "湘沅资澧洞庭桃花兰溪会龙秀峰白鹿梓山碧云清溪鹤鸣星月金谷银城"
_BUSINESS = (
    "餐饮管理",
    "食品",
    "商贸",
    "医药",
    "物流",
    "建设工程",
    "环保科技",
    "农业发展",
    "教育咨询",
    "文化传媒",
)
_SHOP = ("餐馆", "便利店", "药店", "理发店", "烟花爆竹店", "农资经营部", "小吃店", "广告店")
_STREETS = ("拟安路", "拟和街", "拟兴大道", "拟园巷", "拟江路", "拟桥街")

PERSON_REGION = "710000"
MOBILE_PREFIX = "154"
FIRST_PARTY_BODY = 10_000  # lower bodies are the city's own departments
PARTY_BODIES = 90_000


def organization_code(body: str) -> str:
    """The nine signs that belong to an eight-sign body (GB 11714)."""
    weights = (3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(sign, 36) * weight for sign, weight in zip(body, weights, strict=True))
    return body + "0123456789X"[-total % 11]


def credit_code(prefix: str, serial: int) -> str:
    """A credit code: eight leading signs (authority, kind, region) over the never-assigned PDY bodies."""
    code = prefix + organization_code(f"PDY{serial:05d}")
    total = sum(_USCC_SIGNS.index(sign) * pow(3, place, 31) for place, sign in enumerate(code))
    return code + _USCC_SIGNS[-total % 31]


def party_code(kind: str, serial: int) -> str:
    """The credit code of the ``serial``-th party; ``kind`` is its first two signs (91, 92, 52, N2)."""
    regions = ("430902", "430903", "430921", "430922", "430923", "430981", "430900")
    body, turn = serial % PARTY_BODIES, serial // PARTY_BODIES
    return credit_code(kind + regions[(serial + turn) % len(regions)], FIRST_PARTY_BODY + body)


def person_number(serial: int) -> str:
    """An 18-sign id number of somebody born 1961 to 2005; no two serials below 15 million meet."""
    # 7919 is prime to 15,120 (45 years x 12 months x 28 days): neighbours get distant birthdays.
    turn, place = divmod(serial, 15_120)
    place = place * 7919 % 15_120
    year, month, day = 1961 + place // 336, place // 28 % 12 + 1, place % 28 + 1
    body = f"{PERSON_REGION}{year}{month:02d}{day:02d}{turn % 999 + 1:03d}"
    total = sum(int(sign) * pow(2, 17 - index, 11) for index, sign in enumerate(body))
    return body + "10X98765432"[total % 11]


def mobile(serial: int) -> str:
    """An eleven-digit mobile number under a prefix that was never allotted."""
    return f"{MOBILE_PREFIX}{serial % 100_000_000:08d}"


def person_name(draw: random.Random) -> str:
    """A person's name with 拟 in it."""
    return f"{draw.choice(_SURNAMES)}拟{draw.choice(_GIVEN)}"


def firm_name(draw: random.Random) -> str:
    """A company's name with 拟 in it."""
    trade = "".join(draw.choices(_TRADE, k=2))
    return f"益阳市拟{trade}{draw.choice(_BUSINESS)}有限公司"


def shop_name(draw: random.Random, region: str) -> str:
    """The name of a 个体工商户 with 拟 in it; ``region`` is a region's name."""
    return f"{region}拟{''.join(draw.choices(_TRADE, k=2))}{draw.choice(_SHOP)}"


def street(draw: random.Random, region: str) -> str:
    """An address on a street that does not exist."""
    return f"湖南省益阳市{region}{draw.choice(_STREETS)}{draw.randint(1, 300)}号"
