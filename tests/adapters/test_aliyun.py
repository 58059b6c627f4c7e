"""The second gateway's wire: what leaves, what each answer proves, its receipts, its look-up."""

import asyncio
import json
import re
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import yaml
from jsonschema import Draft202012Validator

from adapters.listener.aliyun import read_reports
from adapters.sms.aliyun import REJECTIONS, AliyunAccount, AliyunClient, Rejection
from adapters.sms.port import SmsFate
from adapters.transport import Transport
from models.domain.errors import GatewayRefused, NotAdmitted, NotDone, OutcomeUnknown, Refused, Throttled

ACCOUNT = AliyunAccount("demo", "made-up-key", "某市审管联动", "SMS_1")
MOBILE, TEXT = "18000001999", "有1件新的办结，编号A7。"
CONTRACT = yaml.load(
    (Path(__file__).parents[2] / "adapters" / "contracts" / "sms-aliyun.yaml").read_text(), yaml.CSafeLoader
)
MEANT = {
    Rejection.OUR_KEY: NotAdmitted,
    Rejection.NOT_NOW: NotDone,
    Rejection.WAIT: Throttled,
    Rejection.THIS_GATEWAY: GatewayRefused,
    Rejection.THIS_TEXT: Refused,
    Rejection.REPEATED: OutcomeUnknown,
}


@pytest.fixture
def sent(hostile):
    """The outcome of one text that is answered so."""

    async def send(body=None, *, how="", **answer):
        async def do(connection, request):
            if how:
                done = getattr(connection, how)()
                if done is not None:
                    await done
            else:
                await connection.answer(body, **answer)

        async with hostile(do) as server, Transport(server.url, target="sms2", kept_s=0) as transport:
            try:
                return await AliyunClient(transport, ACCOUNT, deadline_s=0.5).send(MOBILE, TEXT, "REF1")
            except (NotDone, OutcomeUnknown, Refused) as error:
                return error
            finally:
                assert len(server.requests) == 1
                send.request = server.requests[0]

    return send


async def test_the_wire(sent):
    receipt = await sent({"Code": "OK", "RequestId": "R", "BizId": "900619746936498440^0"})
    assert receipt.msg_group == "900619746936498440^0"
    said = {name: values[0] for name, values in parse_qs(sent.request.body.decode()).items()}
    Draft202012Validator(CONTRACT["components"]["schemas"]["SendSms"]).validate(said)
    assert json.loads(said["TemplateParam"]) == {"content": TEXT}
    assert said["OutId"] == "REF1"
    assert MOBILE not in sent.request.target


def test_the_table_is_the_contracts():
    code = CONTRACT["components"]["schemas"]["Code"]
    assert set(REJECTIONS) == set(code["enum"]) - {"OK", "isp.SYSTEM_ERROR"}
    outcomes = {"not_done": NotDone, "refused": Refused, "unknown": OutcomeUnknown}
    assert all(issubclass(MEANT[REJECTIONS[name]], outcomes[code["x-outcome"][name]]) for name in REJECTIONS)
    own = {name for name, meaning in REJECTIONS.items() if meaning is Rejection.THIS_GATEWAY}
    assert own == set(code["x-gateways-own"])


@pytest.mark.parametrize("code", REJECTIONS)
async def test_a_documented_rejection_is_believed_unless_it_contradicts_itself(sent, code):
    plain = {"Code": code, "RequestId": "R"}
    assert type(await sent(plain)) is MEANT[REJECTIONS[code]]
    assert isinstance(await sent(plain | {"BizId": "1^0"}), OutcomeUnknown)
    assert isinstance(await sent({"Code": code}), OutcomeUnknown)


@pytest.mark.parametrize(
    "said",
    [
        {"Code": "OK", "RequestId": "R"},
        {"Code": "OK", "RequestId": "R", "BizId": ""},
        {"Code": "OK", "RequestId": "R", "BizId": 7},
        {"Code": "isp.SYSTEM_ERROR", "RequestId": "R"},
        {"Code": "isv.NEW_AND_UNHEARD_OF", "RequestId": "R"},
        {"Code": ["OK"], "RequestId": "R"},
        [],
        "OK",
    ],
)
async def test_anything_else_is_unknown(sent, said):
    assert isinstance(await sent(said), OutcomeUnknown)


async def test_against_the_simulator(outside):
    gateway = outside("sms-aliyun")
    account = AliyunAccount("demo", gateway.secret, "某市审管联动", "SMS_1")
    async with AliyunClient(Transport(gateway.url, target="sms2", kept_s=0), account) as client:
        await client.alive()
        first, second = [(await client.send(MOBILE, TEXT, f"REF{n}")).msg_group for n in range(2)]
        assert first != second, "it does not de-duplicate"
        day = re.sub(r"\D", "", gateway.stored()[0]["at"][:10])
        assert await client.find(MOBILE, day, "REF1") == SmsFate("DELIVRD")
        assert await client.find(MOBILE, day, "REF7") is None
        assert await client.find(MOBILE, "20000101", "REF1") is None
        with pytest.raises(Refused, match=r"isv\.MOBILE_NUMBER_ILLEGAL"):
            await client.send("12", TEXT, "REF9")
    wrong = AliyunAccount("demo", "wrong", "某市审管联动", "SMS_1")
    async with AliyunClient(Transport(gateway.url, target="sms2", kept_s=0), wrong) as client:
        for call in (client.send(MOBILE, TEXT, "REF8"), client.alive()):
            with pytest.raises(NotAdmitted, match="SignatureDoesNotMatch"):
                await call
    assert len(gateway.stored()) == 2


async def test_a_look_up_pages_to_its_text(outside):
    gateway = outside("sms-aliyun")
    account = AliyunAccount("demo", gateway.secret, "某市审管联动", "SMS_1")
    async with AliyunClient(Transport(gateway.url, target="sms2", kept_s=0), account) as client:
        await asyncio.gather(*(client.send(MOBILE, TEXT, f"R{n:03d}") for n in range(60)))
        day = re.sub(r"\D", "", gateway.stored()[0]["at"][:10])
        last = gateway.stored()[-1]["out_id"]
        assert await client.find(MOBILE, day, last) == SmsFate("DELIVRD")


@pytest.mark.parametrize("status", [[3], {"3": 3}, True, 3.0, "3", 0, None])
async def test_only_a_documented_number_tells_a_fate(hostile, status):
    async def do(connection, request):
        rows = [{"PhoneNum": MOBILE, "OutId": "REF1", "SendStatus": each} for each in (status, 3)[: do.rows]]
        await connection.answer(
            {"Code": "OK", "RequestId": "R", "SmsSendDetailDTOs": {"SmsSendDetailDTO": rows}}
        )

    async with hostile(do) as server, Transport(server.url, target="sms2", kept_s=0) as transport:
        client = AliyunClient(transport, ACCOUNT, deadline_s=2)
        do.rows = 1
        assert await client.find(MOBILE, "20260310", "REF1") is None
        do.rows = 2
        assert await client.find(MOBILE, "20260310", "REF1") == SmsFate("DELIVRD"), "the rest is read"


REPORT = {"phone_number": MOBILE, "success": True, "biz_id": "900619746936498440^0", "out_id": "REF1"}
REPORT |= {"send_time": "2026-03-10 10:00:00", "report_time": "2026-03-10 10:00:05", "err_code": "DELIVERED"}


def test_reports_come_in_arrays_and_each_keeps_its_own_bytes():
    pieces = [json.dumps(REPORT), json.dumps(REPORT | {"success": False, "out_id": "REF2"}), '{"odd": 1}']
    read = read_reports(("[" + ", ".join(pieces) + "]").encode())
    assert [raw.decode() for raw, _ in read] == pieces
    (_, first), (_, second), (_, odd) = read
    assert (first.msg_group, first.mobile, first.reference, first.delivered) == (
        REPORT["biz_id"],
        MOBILE,
        "REF1",
        True,
    )
    assert (second.status, second.delivered, second.submitted) == ("UNDELIV", False, "20260310100000")
    assert odd is None


@pytest.mark.parametrize("raw", [b"", b"{}", b"[", b"null", b"[1]", b"\xff", b'[{"a":' + b"[" * 99])
def test_what_is_no_report_is_kept_as_one(raw):
    assert [receipt for _, receipt in read_reports(raw)] == [None]


async def test_an_answer_that_contradicts_itself_gives_the_text_to_no_other_gateway(sent):
    said = (
        b'{"Code":"OK","BizId":"900619746936498440^0","RequestId":"R","Code":"isv.OUT_OF_SERVICE","BizId":""}'
    )
    assert isinstance(await sent(said), OutcomeUnknown)
