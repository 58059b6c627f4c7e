"""Bytes made smaller before they are sealed, and made what they were again, to the last one.

Raw deflate (RFC 1951) with a preset dictionary: our records are short, and most of one is names of fields
and words that every record has. The dictionary is a part of the format of sealed bytes: never change it,
only add another under another version.
"""

import zlib

_RECORD = (
    '{"case_no":"","data_version":1,"operation":"u","changed_at":"2026-03-24T10:00:00+08:00","region":"",'
    '"secrecy":"none","place_of_business":{"region":"","address":"湖南省"},"item_code":"","item_name":"",'
    '"department":"","status":"30","result":"granted","accepted_at":"2026-03-24T15:00:00+08:00",'
    '"completed_at":null,"document":{"number":"益审许字〔2026〕号","title":"准予行政许可决定书"},'
    '"licence_number":null,"licence_action":"new","content":"准予，经营场所以证载地址为准。","decided_on":null,'
    '"valid_from":null,"valid_to":null,"attachments":[],"party":{"name":"有限公司","kind":"法人及非法人组织",'
    '"id_type":"统一社会信用代码","id_number":"9143","legal_person":"","contact":"","phone":"1",'
    '"address":"湖南省大道号"},"credit_check":null,"parent_case_no":null}'
)
_REPORT = (
    '{"XK_FRDB":"","XK_JDRQ":"2026-03-06","XK_LYDW":"","XK_LYDWDM":"","XK_NR":"准予，经营场所以证载地址为准。",'
    '"XK_WSH":"","XK_XDR_LB":"法人及非法人组织","XK_XDR_MC":"","XK_XDR_SHXYM":"","XK_XKBH":"","XK_XKJG":"",'
    '"XK_XKJGDM":"","XK_XKLB":"普通","XK_XKWS":"准予行政许可决定书","XK_YXQZ":"2026-03-06","XK_YXQZI":"2031-03-05",'
    '"XK_ZT":"1"}'
)
_PUSH = (
    '{"accepted_at":"2026-03-24T10:00:00+08:00","address":"湖南省市区大道号","completed_at":"2026-04-01T15:00:00+08:00",'
    '"contact":"","decided_on":"2026-04-01","document_number":"","document_title":"准予行政许可决定书","item_code":"",'
    '"item_name":"","legal_person":"","licence_content":"准予，经营场所以证载地址为准。","licence_number":"",'
    '"party_id_number":"","party_kind":"个体工商户","party_kind":"法人及非法人组织","party_name":"","phone":"1",'
    '"place_address":"湖南省","place_region":"","result":"granted","stage":"acceptance","stage":"completion",'
    '"valid_from":"2026-04-01","valid_to":"2031-03-31"}'
)
_TEXT = "综合监督股：新到审管联动件（受理件、办结件），请登录审管联动模块查看。编号"
DICTIONARY = f"{_TEXT}{_REPORT}{_RECORD}{_PUSH}".encode()
_LEVEL, _WINDOW, _MEMORY = 6, -13, 6
_READY = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
"""Has read the dictionary and nothing else: each content is packed by a copy of it."""


def smaller(content: bytes) -> bytes:
    """The content made smaller; it may be longer where it is short or random."""
    packing = _READY.copy()
    return packing.compress(content) + packing.flush()


def as_it_was(content: bytes) -> bytes:
    """What :func:`smaller` was given.

    Raises:
        zlib.error: it was given nothing of the kind.
    """
    unpacking = zlib.decompressobj(_WINDOW, DICTIONARY)
    return unpacking.decompress(content) + unpacking.flush()
