"""Settings are read once, and every problem is named at once, without its value."""

import pickle
from pathlib import Path

import pytest

from config.settings import Settings, SettingsWrong, load_settings, variable_of
from config.settings_page import settings_page

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    for name in Settings.model_fields:
        monkeypatch.delenv(variable_of(name), raising=False)
    keys = tmp_path / "keys.json"
    keys.touch(mode=0o600)
    given = {
        "DATABASE_URL": "postgresql://app:hidden-password@localhost/shenguan",
        "SEAL_KEYS_FILE": str(keys),
        "PLATFORM_URL": "http://127.0.0.1:4211/",
        "PLATFORM_KEY_ID": "p1",
        "PLATFORM_SECRET": "hidden-platform-secret",
        "CREDIT_URL": "https://credit.example:8443/base",
        "CREDIT_KEY_ID": "c1",
        "CREDIT_SECRET": "hidden-credit-secret",
        "SMS_URL": "http://127.0.0.1:4213",
        "SMS_EC_NAME": "益阳",
        "SMS_AP_ID": "a",
        "SMS_SECRET_KEY": "hidden-sms-secret",
        "SMS_SIGN": "S1",
        "LISTENER_PATH_SECRET": "hidden-0123456789",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"SHENGUAN_{name}", value)
    return given


def problems() -> dict[str, str]:
    with pytest.raises(SettingsWrong) as caught:
        load_settings()
    assert "hidden" not in str(caught.value)
    return {problem.partition("（")[0].partition("：")[0]: problem for problem in caught.value.problems}


def test_settings_are_read_and_handed_on_in_pieces(environment: dict[str, str]) -> None:
    settings = load_settings()
    assert settings.platform.url == "http://127.0.0.1:4211"
    assert settings.credit.secret.get_secret_value() == environment["CREDIT_SECRET"]
    assert (settings.sms.kind, settings.sms.ec_name, settings.sms.add_serial) == ("yunmas", "益阳", "")
    assert settings.owner_database_url is None
    assert settings.prefect_api_url is None
    assert "hidden" not in repr(settings)
    assert "hidden" not in repr(settings.platform)


def test_every_problem_is_named_at_once(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "SHENGUAN_DATABASE_URL": "mysql://hidden",
        "SHENGUAN_PLATFORM_URL": "ftp://hidden",
        "SHENGUAN_CREDIT_URL": "http://hidden:99999",
        "SHENGUAN_SMS_URL": "http://user:hidden@host",
        "SHENGUAN_PLATFORM_SECRET": "short",
        "SHENGUAN_CREDIT_SIGNING": "hidden",
        "SHENGUAN_SMS_ADD_SERIAL": "1" * 21,
        "SHENGUAN_LISTENER_PORT": "hidden",
        "SHENGUAN_LISTENER_PATH_SECRET": "hidden/",
        "SHENGUAN_CALL_DEADLINE_S": "30",
        "SHENGUAN_LEASE_S": "30",
        "SHENGUAN_POOL_SIZE": "0",
        "SHENGUAN_BATCH_SIZE": "100000",
        "SHENGUAN_CITY": "../hidden",
        "SHENGUAN_SEAL_KEYS_FILE": "/nowhere/hidden",
        "SHENGUAN_SMS_SIGN": "",
        "SHENGUAN_PLATFROM_URL": "http://hidden",
        "PREFECT_API_URL": "hidden",
        "SHENGUAN_ALERT_WEBHOOK_URL": "https://hidden/机器人?key=1",
    }.items():
        monkeypatch.setenv(name, value)
    found = problems()
    assert found["SHENGUAN_SMS_SIGN"] == "SHENGUAN_SMS_SIGN（短信签名编码）：未设置"
    assert found["SHENGUAN_PLATFROM_URL"].endswith("不认识的设置，请核对拼写")
    assert found["SHENGUAN_POOL_SIZE"].endswith("不得小于 1")
    assert found["SHENGUAN_BATCH_SIZE"].endswith("不得大于 5000")
    assert found["SHENGUAN_LEASE_S"].endswith("须长于单次调用总时限")
    assert found["SHENGUAN_SMS_ADD_SERIAL"].endswith("至多 20 个字符")
    assert found["SHENGUAN_PLATFORM_SECRET"].endswith("至少 8 个字符")
    assert "须形如 https://主机/路径?key=…" in found["SHENGUAN_ALERT_WEBHOOK_URL"]
    assert "'national'" in found["SHENGUAN_CREDIT_SIGNING"]
    wrong = (
        "DATABASE_URL PLATFORM_URL CREDIT_URL SMS_URL PLATFORM_SECRET CREDIT_SIGNING SMS_ADD_SERIAL CITY "
        "LISTENER_PORT LISTENER_PATH_SECRET LEASE_S POOL_SIZE BATCH_SIZE SEAL_KEYS_FILE SMS_SIGN "
        "PLATFROM_URL ALERT_WEBHOOK_URL"
    )
    assert set(found) == {"PREFECT_API_URL", *(f"SHENGUAN_{name}" for name in wrong.split())}


def test_a_key_file_others_can_read_is_refused(environment: dict[str, str], tmp_path: Path) -> None:
    Path(environment["SEAL_KEYS_FILE"]).chmod(0o640)
    assert problems()["SHENGUAN_SEAL_KEYS_FILE"].endswith("权限须为 0600")


def test_a_folder_is_no_key_file(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHENGUAN_SEAL_KEYS_FILE", str(tmp_path))
    assert problems()["SHENGUAN_SEAL_KEYS_FILE"].endswith("不是普通文件")


def test_the_finding_survives_a_journey() -> None:
    wrong = SettingsWrong(("一", "二"))
    assert str(pickle.loads(pickle.dumps(wrong))) == str(wrong) == "设置有 2 处问题：\n一\n二"


def test_the_page_is_in_step_with_the_settings() -> None:
    assert PAGE.read_text(encoding="utf-8") == settings_page()


def test_every_setting_says_what_it_is_in_both_languages() -> None:
    for name, field in Settings.model_fields.items():
        assert field.title, name
        assert field.description, name
        assert any("一" <= sign <= "鿿" for sign in field.title), name
