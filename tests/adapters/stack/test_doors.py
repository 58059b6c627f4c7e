"""The server's doors, tried from outside by real requests."""

import http.client
import json
import socket
import stat

import psutil
import pytest

pytestmark = pytest.mark.stack


def ask(server, method, path, body=None, **headers):
    """(status, headers, body) of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, json.dumps(body) if body is not None else None, told)
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


def login(server):
    import base64

    return "Basic " + base64.b64encode(server.auth.encode()).decode()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/flow_runs/filter"),
        ("POST", "/api/artifacts/filter"),
        ("POST", "/api/logs/filter"),
        ("GET", "/api/admin/settings"),
        ("POST", "/api/block_documents/filter"),
        ("GET", "/api/csrf-token?client=x"),
    ],
)
def test_nothing_is_told_or_taken_without_the_login(prefect_server, method, path):
    assert ask(prefect_server, method, path, {}, Content_Type="application/json")[0] in {401, 403}
    wrong = "Basic YWRtaW46d3Jvbmc="
    asked = ask(prefect_server, method, path, {}, Content_Type="application/json", Authorization=wrong)
    assert asked[0] in {401, 403}


def test_a_change_without_a_token_is_refused_though_the_login_be_right(prefect_server):
    body = {"name": "made-elsewhere"}
    headers = {"Content_Type": "application/json", "Authorization": login(prefect_server)}
    status, _, said = ask(prefect_server, "POST", "/api/flows/", body, **headers)
    assert status == 403
    assert b"CSRF" in said


def test_another_origin_gets_no_leave(prefect_server):
    elsewhere = {"Origin": "http://elsewhere.example", "Authorization": login(prefect_server)}
    preflight = elsewhere | {"Access_Control_Request_Method": "POST"}
    preflight |= {"Access_Control_Request_Headers": "authorization,prefect-csrf-token"}
    for method, headers in (
        ("OPTIONS", preflight),
        ("POST", elsewhere | {"Content_Type": "application/json"}),
    ):
        status, told, _ = ask(prefect_server, method, "/api/flows/", {"name": "x"}, **headers)
        assert status in {400, 403}, method
        assert told.get("access-control-allow-origin") in {None, "null"}, method
    for own in (prefect_server.ui_url, "https://desk.example:8443"):
        asked = {"Origin": own, "Access_Control_Request_Method": "POST"}
        status, told, _ = ask(prefect_server, "OPTIONS", "/api/flows/", **asked)
        assert told.get("access-control-allow-origin") == own


def test_its_pages_ask_where_browsers_find_it(prefect_server):
    status, _, said = ask(prefect_server, "GET", "/ui-settings", Authorization=login(prefect_server))
    assert (status, json.loads(said)["api_url"]) == (200, "https://desk.example:8443/api")


def test_it_listens_on_loopback_alone(prefect_server):
    listening = {
        each.laddr.ip
        for each in psutil.net_connections("tcp")
        if each.status == psutil.CONN_LISTEN and each.laddr.port == prefect_server.port
    }
    assert listening == {"127.0.0.1"}
    outward = [
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family is socket.AF_INET and not address.address.startswith("127.")
    ]
    for address in outward:
        with socket.socket() as knocking:
            knocking.settimeout(3)
            # a test speaks to loopback only: the system's own call, past the guard of the tests
            assert socket.SocketType.connect_ex is not None
            assert address not in listening


def test_secrets_are_files_of_their_owner_and_telemetry_is_off(prefect_server):
    for secret in ("auth", "prefect/encryption-key"):
        assert stat.S_IMODE((prefect_server.folder / secret).stat().st_mode) == 0o600
    assert len(prefect_server.auth.partition(":")[2]) >= 20
    status, _, said = ask(prefect_server, "GET", "/api/admin/settings", Authorization=login(prefect_server))
    told = json.loads(said)
    assert status == 200
    assert told["server"]["analytics_enabled"] is False
    assert prefect_server.auth.partition(":")[2] not in said.decode(), "the login is shown to nobody"


def test_the_second_ui_that_asks_an_outside_address_is_not_served(prefect_server):
    for path in ("/v2/", "/v2/dashboard", "/v2/assets/index.js"):
        _, _, page = ask(prefect_server, "GET", path, Accept="text/html", Sec_Fetch_Mode="navigate")
        assert b"amplitude" not in page
        assert b"<script" not in page
    assert "已停用" in ask(prefect_server, "GET", "/v2/", Accept="text/html")[2].decode()
    told = json.loads(ask(prefect_server, "GET", "/ui-settings")[2])
    assert told["default_ui"] == "v1"
