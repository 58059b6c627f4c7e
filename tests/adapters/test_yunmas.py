"""云MAS: the bytes that leave, and what each answer proves about a text that nobody may send twice."""

import base64
import hashlib
import json

import pytest

from adapters.sms.yunmas import REJECTIONS, YunmasAccount, YunmasClient
from adapters.transport import Transport
from models.domain.errors import NotAdmitted, NotDone, OutcomeUnknown, Refused, Throttled

ACCOUNT = YunmasAccount("某市政务", "ap1", "made-up-key", "SIGN1", "0105")
MOBILE, TEXT = "18000001999", "【审管联动】有1件新的办结，编号A7。"
GROUP = "0105013527000001139923"
PROBLEM = "application/problem+json"


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

        async with hostile(do) as server, Transport(server.url, target="sms", kept_s=0) as transport:
            try:
                return await YunmasClient(transport, ACCOUNT, deadline_s=0.5).send(MOBILE, TEXT)
            except (NotDone, OutcomeUnknown, Refused) as error:
                return error
            finally:
                assert len(server.requests) == 1
                send.request = server.requests[0]

    return send


async def test_the_wire(sent):
    await sent({"rspcod": "success", "msgGroup": GROUP, "success": True})
    assert (sent.request.method, sent.request.target) == ("POST", "/sms/norsubmit")
    said = json.loads(base64.b64decode(sent.request.body, validate=True))
    mac = hashlib.md5(f"某市政务ap1made-up-key{MOBILE}{TEXT}SIGN10105".encode()).hexdigest()
    assert said == {
        "ecName": "某市政务",
        "apId": "ap1",
        "secretKey": "made-up-key",
        "mobiles": MOBILE,
        "content": TEXT,
        "sign": "SIGN1",
        "addSerial": "0105",
        "mac": mac,
    }


@pytest.mark.parametrize("name", ["msgGroup", "mgsGroup"])
async def test_both_spellings_of_the_group(sent, name):
    receipt = await sent({"rspcod": "success", name: GROUP, "success": True})
    assert receipt.msg_group == GROUP


MEANT = {
    "IllegalMac": NotAdmitted,
    "InvalidUsrOrPwd": NotAdmitted,
    "IllegalSignId": NotAdmitted,
    "NoSignId": NotAdmitted,
    "InvalidMessage": Refused,
    "InvalidMobile": Refused,
    "DupMobile": Refused,
    "TooManyMobiles": Refused,
}


def test_every_documented_rejection_is_tried():
    assert set(MEANT) == set(REJECTIONS)


@pytest.mark.parametrize("code", MEANT)
async def test_a_documented_rejection_is_believed_unless_it_contradicts_itself(sent, code):
    plain = {"rspcod": code, "msgGroup": "", "success": False}
    assert type(await sent(plain)) is MEANT[code]
    for change in ({"success": True}, {"msgGroup": GROUP}, {"mgsGroup": GROUP}, {"success": None}):
        assert isinstance(await sent(plain | change), OutcomeUnknown)


@pytest.mark.parametrize(
    "said",
    [
        {"rspcod": "SystemBusy", "msgGroup": "", "success": False},
        {"rspcod": "success", "msgGroup": "", "success": True},
        {"rspcod": "success", "msgGroup": GROUP, "success": False},
        {"rspcod": "success", "msgGroup": 7, "success": True},
        {"rspcod": "success", "msgGroup": GROUP},
        {"rspcod": None},
        {},
        [],
        b"<html></html>",
        b'{"rspcod":"success","msgGroup":"1","success":true,"x":NaN}',
        b"",
        '{"rspcod":"成功"}'.encode("gbk"),
    ],
)
async def test_all_else_is_unknown(sent, said):
    assert isinstance(await sent(said), OutcomeUnknown)


async def test_an_unknown_code_is_named(sent):
    error = await sent({"rspcod": "SystemBusy", "success": False})
    assert error.reason == "rspcod SystemBusy"
    error = await sent({"rspcod": f"no mobile {MOBILE}", "success": False})
    assert str(error) == "sms: the outcome is unknown (rspcod without a name)"


@pytest.mark.parametrize("how", ["close", "reset", "hang", "half", "half_head"])
async def test_no_whole_answer_is_unknown_and_sent_once(sent, how):
    assert isinstance(await sent(how=how), OutcomeUnknown)


@pytest.mark.parametrize("status", [201, 302, 400, 401, 404, 429, 500, 503])
async def test_another_status_is_unknown(sent, status):
    said = {"rspcod": "IllegalMac", "msgGroup": "", "success": False}
    assert isinstance(await sent(said, status=status), OutcomeUnknown)


async def test_a_documented_problem_is_believed(sent):
    said = {"code": "not-processed"}
    assert type(await sent(said, status=503, kind=PROBLEM)) is NotDone
    said = {"code": "throttled"}
    error = await sent(said, status=429, kind=PROBLEM, retry_after="3")
    assert (type(error), error.retry_after) == (Throttled, 3.0)


async def test_a_gateway_that_is_not_there(closed_port):
    async with Transport(f"http://127.0.0.1:{closed_port}", target="sms") as transport:
        with pytest.raises(NotDone):
            await YunmasClient(transport, ACCOUNT).send(MOBILE, TEXT)


def test_the_account_shows_no_key():
    assert "made-up-key" not in repr(ACCOUNT)
