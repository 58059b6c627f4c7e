"""The fields of 双公示 (行政许可 XK_*, 行政处罚 CF_*), 2018 set, as data.

Governing texts: 发改办财金〔2018〕424号, data standard 发改办财金〔2018〕790号. ``evidence`` says
how sure a length or a list is: S seen in public material, R recalled from the annex; an R that
proves wrong is corrected in the city's configuration, not here (see :func:`corrected`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

LEGAL = "法人及非法人组织"
NATURAL = "自然人"
TRADER = "个体工商户"
PARTY_KINDS = (LEGAL, NATURAL, TRADER)
ID_TYPES = (
    "身份证",
    "护照号",
    "港澳居民来往内地通行证",
    "台湾居民来往大陆通行证",
    "外国人永久居留身份证",
)
LICENCE_KINDS = ("普通", "特许", "认可", "核准", "登记")
PENALTY_KINDS = (
    "警告",
    "通报批评",
    "罚款",
    "没收违法所得",
    "没收非法财物",
    "暂扣许可证件",
    "降低资质等级",
    "吊销许可证件",
    "限制开展生产经营活动",
    "责令停产停业",
    "责令关闭",
    "限制从业",
    "行政拘留",
)


class Need(StrEnum):
    """For whom a field must be filled."""

    ALL = "all"
    LEGAL = "legal"  # 法人及非法人组织
    ORGANIZATION = "organization"  # 法人及非法人组织、个体工商户
    NATURAL = "natural"  # 自然人
    OPTIONAL = "optional"


class Form(StrEnum):
    """How a field's text is read."""

    TEXT = "text"
    DATE = "date"  # YYYY-MM-DD
    USCC = "uscc"
    ORGANIZATION = "organization"  # 组织机构代码, nine signs
    AMOUNT = "amount"  # 万元, at most twelve and six digits
    CHOICE = "choice"  # one of the list
    OPEN_CHOICE = "open"  # one of the list, or 其他-…
    CHOICES = "choices"  # several of the list joined, or 其他-…


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its code, Chinese name, longest length (0: by its form), need, form and list."""

    code: str
    name: str
    length: int
    need: Need = Need.OPTIONAL
    form: Form = Form.TEXT
    choices: tuple[str, ...] = ()
    evidence: Literal["S", "R"] = "S"


def _party(prefix: str, evidence: Literal["S", "R"]) -> tuple[Field, ...]:
    x = f"{prefix}_XDR_"
    return (
        Field(f"{x}MC", "行政相对人名称", 200, Need.ALL, evidence=evidence),
        Field(f"{x}LB", "行政相对人类别", 16, Need.ALL, Form.CHOICE, PARTY_KINDS, "R"),
        Field(f"{x}SHXYM", "统一社会信用代码", 18, Need.ORGANIZATION, Form.USCC),
        Field(f"{x}GSZC", "工商注册号", 50, evidence=evidence),
        Field(f"{x}ZZJG", "组织机构代码", 9, Need.OPTIONAL, Form.ORGANIZATION),
        Field(f"{x}SWDJ", "税务登记号", 15, evidence="R"),
        Field(f"{x}SYDW", "事业单位证书号", 12, evidence="R"),
        Field(f"{x}SHZZ", "社会组织登记证号", 50, evidence=evidence),
        Field(f"{prefix}_FRDB", "法定代表人", 50, Need.LEGAL, evidence=evidence),
        Field(
            f"{prefix}_FR_ZJLX", "法定代表人证件类型", 64, Need.OPTIONAL, Form.OPEN_CHOICE, ID_TYPES, evidence
        ),
        Field(f"{prefix}_FR_ZJHM", "法定代表人证件号码", 64, evidence="R"),
        Field(f"{x}ZJLX", "证件类型", 64, Need.NATURAL, Form.OPEN_CHOICE, ID_TYPES, evidence),
        Field(f"{x}ZJHM", "证件号码", 64, Need.NATURAL, evidence=evidence),
    )


XK_FIELDS: tuple[Field, ...] = (
    *_party("XK", "R"),
    Field("XK_XKWS", "行政许可决定文书名称", 64, Need.ALL, evidence="R"),
    Field("XK_WSH", "行政许可决定文书号", 64, Need.ALL, evidence="R"),
    Field("XK_XKLB", "许可类别", 256, Need.ALL, Form.OPEN_CHOICE, LICENCE_KINDS, "R"),
    Field("XK_XKZS", "许可证书名称", 64, evidence="R"),
    Field("XK_XKBH", "许可编号", 64, evidence="R"),
    Field("XK_NR", "许可内容", 4000, Need.ALL, evidence="R"),
    Field("XK_JDRQ", "许可决定日期", 0, Need.ALL, Form.DATE),
    Field("XK_YXQZ", "有效期自", 0, Need.ALL, Form.DATE),
    Field("XK_YXQZI", "有效期至", 0, Need.ALL, Form.DATE),
    Field("XK_XKJG", "许可机关", 200, Need.ALL, evidence="R"),
    Field("XK_XKJGDM", "许可机关统一社会信用代码", 18, Need.ALL, Form.USCC),
    Field("XK_ZT", "当前状态", 1, Need.ALL, Form.CHOICE, ("1", "2"), "R"),
    Field("XK_LYDW", "数据来源单位", 200, Need.ALL, evidence="R"),
    Field("XK_LYDWDM", "数据来源单位统一社会信用代码", 18, Need.ALL, Form.USCC),
    Field("BZ", "备注", 512, evidence="R"),
)

CF_FIELDS: tuple[Field, ...] = (
    *_party("CF", "S"),
    Field("CF_WSH", "行政处罚决定书文号", 64, Need.ALL, evidence="R"),
    Field("CF_WFXW", "违法行为类型", 2000, Need.ALL, evidence="R"),
    Field("CF_SY", "违法事实", 5000, Need.ALL, evidence="R"),
    Field("CF_YJ", "处罚依据", 2000, Need.ALL, evidence="R"),
    Field("CF_CFLB", "处罚类别", 1000, Need.ALL, Form.CHOICES, PENALTY_KINDS, "R"),
    Field("CF_NR", "处罚内容", 4000, Need.ALL, evidence="R"),
    Field("CF_NR_FK", "罚款金额（万元）", 0, Need.OPTIONAL, Form.AMOUNT),
    Field("CF_NR_WFFF", "没收违法所得、没收非法财物的金额（万元）", 0, Need.OPTIONAL, Form.AMOUNT),
    Field("CF_NR_ZKDX", "暂扣或吊销证照名称及编号", 200),
    Field("CF_JDRQ", "处罚决定日期", 0, Need.ALL, Form.DATE),
    Field("CF_YXQ", "处罚有效期", 0, Need.OPTIONAL, Form.DATE),
    Field("CF_GSJZQ", "公示截止期", 0, Need.ALL, Form.DATE),
    Field("CF_CFJG", "处罚机关", 200, Need.ALL),
    Field("CF_CFJGDM", "处罚机关统一社会信用代码", 18, Need.ALL, Form.USCC),
    Field("CF_SJLY", "数据来源单位", 200, Need.ALL),
    Field("CF_SJLYDM", "数据来源单位统一社会信用代码", 18, Need.ALL, Form.USCC),
    Field("BZ", "备注", 512, evidence="R"),
)

# Codes of the 2016 set, misspellings and older names → the 2018 code; met on import only.
OLDER_CODES: Mapping[str, str] = {
    "XK_FDDB": "XK_FRDB",
    "XK_FR": "XK_FRDB",
    "XK_FR_SFZH": "XK_FR_ZJHM",
    "XK_XDR": "XK_XDR_MC",
    "XK_XDR_ZDM": "XK_XDR_ZZJG",
    "XK_XDR_GSDJ": "XK_XDR_GSZC",
    "XK_XDR_SFZ": "XK_XDR_ZJHM",
    "XK_XMMC": "XK_XKWS",
    "XK_SPLB": "XK_XKLB",
    "XK_JZQ": "XK_YXQZI",
    "XK_XZJG": "XK_XKJG",
    "CF_FDDB": "CF_FRDB",
    "CF_FR": "CF_FRDB",
    "CF_FR_SFZH": "CF_FR_ZJHM",
    "CF_XDR_ZDM": "CF_XDR_ZZJG",
    "CF_XDR_GSDJ": "CF_XDR_GSZC",
    "CF_XDR_SFZ": "CF_XDR_ZJHM",
    "CF_CFLB1": "CF_CFLB",
    "CF_JG": "CF_NR",
    "CF_XZJG": "CF_CFJG",
}


def corrected(fields: Iterable[Field], corrections: Mapping[str, Mapping[str, object]]) -> tuple[Field, ...]:
    """The table with the city's corrections: code → ``length`` and, or, ``choices``.

    Raises:
        ValueError: a correction is for no known field, or is not of those two kinds.
    """
    table = {field.code: field for field in fields}
    for code, change in corrections.items():
        if code not in table:
            raise ValueError(f"no such field: {code}")
        for key, value in change.items():
            if key == "length" and isinstance(value, int) and value > 0:
                table[code] = replace(table[code], length=value)
            elif key == "choices" and isinstance(value, list | tuple) and value:
                table[code] = replace(table[code], choices=tuple(str(choice) for choice in value))
            else:
                raise ValueError(f"{code}: {key} cannot be corrected so")
    return tuple(table.values())
