"""A department's own files, made up: cases of one county's food licences, and inspections of them."""

import gzip

import openpyxl

from tests.tasks.records import FOOD

MARKET = "11430903PDY0002984"
CASES_HEADER = "编号,日期,结果,名称,账号,地址"
INSPECTIONS_HEADER = "检查号,办件编号,日期,结论"

CASES_MAPPING = """
kind = "case"
source = "赫山本地系统"
charset = "CHARSET"
business_date = { column = "日期", format = "%Y-%m-%d" }

[fields]
case_no = { column = "编号", prefix = "BD-" }
data_version = { const = 1 }
operation = { const = "i" }
changed_at = { date = { column = "日期", format = "%Y-%m-%d", zone = "Asia/Shanghai", at = "16:00" } }
region = { const = "430903" }
secrecy = { const = "none" }
place_of_business.region = { const = "430903" }
place_of_business.address = { column = "地址" }
item_code = { const = "ITEM" }
item_name = { const = "食品经营许可" }
department = { const = "DEPARTMENT" }
status = { map = { column = "结果", table = { "准予" = "90" } } }
result = { map = { column = "结果", table = { "准予" = "40" } } }
accepted_at = { date = { column = "日期", format = "%Y-%m-%d", zone = "Asia/Shanghai", at = "09:00" } }
completed_at = { date = { column = "日期", format = "%Y-%m-%d", zone = "Asia/Shanghai", at = "16:00" } }
document.title = { const = "准予行政许可决定书（样本）" }
document.number = { sample = { column = "编号", kind = "document" } }
licence_number = { column = "编号", prefix = "XK" }
licence_action = { const = "issue" }
content = { const = "热食类食品制售" }
decided_on = { date = { column = "日期", format = "%Y-%m-%d" } }
valid_from = { date = { column = "日期", format = "%Y-%m-%d" } }
valid_to = { const = "2031-12-31" }
party.name = { column = "名称" }
party.kind = { const = "法人及非法人组织" }
party.id_type = { const = "统一社会信用代码" }
party.id_number = { sample = { column = "账号", kind = "uscc" } }
party.legal_person = { sample = { column = "账号", kind = "name" } }
party.contact = { sample = { column = "账号", kind = "name" } }
party.phone = { sample = { column = "账号", kind = "phone" } }
party.address = { column = "地址" }
"""

INSPECTIONS_MAPPING = f"""
kind = "feedback"
source = "赫山检查系统"
business_date = {{ column = "日期", format = "%Y-%m-%d" }}

[fields]
feedback_no = {{ column = "检查号", prefix = "JC-" }}
version = {{ const = 1 }}
operation = {{ const = "i" }}
kind = {{ const = "inspection" }}
department = {{ const = "{MARKET}" }}
case_no = {{ column = "办件编号", prefix = "BD-" }}
changed_at = {{ date = {{ column = "日期", format = "%Y-%m-%d", zone = "Asia/Shanghai", at = "16:00" }} }}
happened_on = {{ date = {{ column = "日期", format = "%Y-%m-%d" }} }}
result = {{ map = {{ column = "结论", table = {{ "合格" = "符合", "不合格" = "不符合" }} }} }}
handling = {{ map = {{ column = "结论", table = {{ "合格" = "通过", "不合格" = "限期整改" }} }} }}

[[when]]
column = "办件编号"
blank = true
rule = "orphan"
message = "检查没有写明办件编号，无法对应办件，请人工判断"
"""


def case_row(number, day, result="准予"):
    """One licence of an invented company."""
    return f"{number},{day},{result},赫山区拟餐{number}店,{number},拟江路{number}号"


def cases_mapping(folder, charset="utf-8"):
    """The mapping of the cases' file."""
    text = CASES_MAPPING.replace("CHARSET", charset).replace("DEPARTMENT", FOOD[:18]).replace("ITEM", FOOD)
    return _written(folder / "cases.toml", text)


def inspections_mapping(folder):
    """The mapping of the inspections' file."""
    return _written(folder / "inspections.toml", INSPECTIONS_MAPPING)


def sheet(folder, name, header, rows, charset="utf-8"):
    """A CSV file of these rows, packed where its name says so."""
    data = "\n".join([header, *rows, ""]).encode(charset)
    path = folder / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def workbook(folder, name, header, rows):
    """The same as XLSX."""
    book = openpyxl.Workbook()
    for row in [header, *rows]:
        book.active.append(row.split(","))
    book.save(folder / name)
    return folder / name


def _written(path, text):
    path.write_text(text, encoding="utf-8")
    return path
