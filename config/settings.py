"""What an installation is told by its environment, read once and checked whole.

The only reader of our own variables. A variable of ours that nobody knows is a misspelling and
stops the start, as does every value that cannot be: all are named at once, none is shown.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from config.call_limits import checked_limits
from config.settings_checks import (
    ACCOUNT_OF,
    account_word,
    base_url,
    city_folder,
    database_url,
    key_file,
    path_secret,
    problem_of,
    webhook_url,
)

PREFIX = "SHENGUAN_"
Signing = Literal["rfc9421-sha256", "rfc9421-sm3", "national"]
GatewayKind = Literal["yunmas", "aliyun"]
SealAlgorithm = Literal["aes-256-gcm", "sm4-gcm"]
DatabaseUrl = Annotated[SecretStr, AfterValidator(database_url)]
BaseUrl = Annotated[str, AfterValidator(base_url)]
Secret = Annotated[SecretStr, Field(min_length=8)]
Port = Annotated[int, Field(ge=1, le=65535)]
Positive = Annotated[int, Field(ge=1)]


class SettingsWrong(ValueError):  # noqa: N818 - named as the finding it is
    """The settings cannot be used; ``problems`` are Chinese sentences, one for each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "设置有 {} 处问题：\n{}".format(len(self.problems), "\n".join(self.problems))


@dataclass(frozen=True, slots=True)
class Signed:
    """One system whose requests we sign."""

    url: str
    key_id: str
    secret: SecretStr
    signing: Signing


@dataclass(frozen=True, slots=True)
class Gateway:
    """One SMS gateway; the words of its kind's account, the others empty."""

    kind: GatewayKind
    url: str
    ec_name: str
    ap_id: str
    secret_key: SecretStr
    sign: str
    add_serial: str
    key_id: str
    key_secret: SecretStr
    sign_name: str
    template: str


def _said(zh: str, en: str, default: Any = ..., **more: Any) -> Any:
    return Field(default, title=zh, description=en, **more)


def _for_kind(zh: str, en: str, default: Any = "") -> Any:
    """Needed where the gateway is of its kind."""
    return _said(zh, en, default, validate_default=True)


class Settings(BaseSettings):
    """The settings by topic. Lengths of time carry their unit in the name."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    database_url: DatabaseUrl = _said("台账数据库连接（应用角色）", "Ledger connection of the app role.")
    owner_database_url: DatabaseUrl | None = _said(
        "台账数据库连接（属主角色，仅用于建库升级）", "Ledger connection of the owner; migrations only.", None
    )
    pool_size: Positive = _said("数据库连接池上限", "Most connections to the ledger.", 10, le=200)
    seal_keys_file: Annotated[Path, AfterValidator(key_file)] = _said(
        "密封密钥文件（权限 0600）", "File of the sealing keys, readable by its owner only."
    )
    seal_algorithm: SealAlgorithm = _said("密封算法", "Algorithm of new sealing keys.", "aes-256-gcm")
    evidence_key_file: Annotated[Path, AfterValidator(key_file)] | None = _said(
        "留痕签名密钥文件（权限 0600）；不设则本进程不封存留痕",
        "File of the key that signs evidence heads; unset where this process does not seal.",
        None,
    )
    evidence_dir: Path | None = _said(
        "留痕签名头所在目录（不设则为运行数据目录下的 evidence）",
        "Where signed evidence heads lie, outside the database; below var_dir when unset.",
        None,
    )
    evidence_every_s: Annotated[float, Field(ge=0, le=3600)] = _said(
        "留痕封存的间隔（秒）", "How often evidence is sealed and a head signed.", 10.0
    )

    platform_url: BaseUrl = _said("市级平台接口地址", "Base address of the city platform.")
    platform_key_id: str = _said("市级平台密钥编号", "Key id the platform knows us by.", min_length=1)
    platform_secret: Secret = _said("市级平台密钥", "Key shared with the platform.")
    platform_signing: Signing = _said("市级平台签名方式", "How requests are signed.", "rfc9421-sha256")
    credit_url: BaseUrl = _said("信用系统接口地址", "Base address of the credit system.")
    credit_key_id: str = _said("信用系统密钥编号", "Key id the credit system knows us by.", min_length=1)
    credit_secret: Secret = _said("信用系统密钥", "Key shared with the credit system.")
    credit_signing: Signing = _said("信用系统签名方式", "How requests are signed.", "rfc9421-sha256")
    credit_legal_basis: str = _said(
        "信用查询的依据",
        "Legal basis recorded with each credit query.",
        "国办发〔2020〕49号",
        min_length=1,
        max_length=200,
    )
    sms_kind: GatewayKind = _said("短信网关种类", "Kind of SMS gateway.", "yunmas")
    sms_url: BaseUrl = _said("短信网关地址", "Base address of the SMS gateway.")
    sms_ec_name: str = _for_kind("短信网关集团名称", "云MAS ecName.")
    sms_ap_id: str = _for_kind("短信网关接口账号", "云MAS apId.")
    sms_secret_key: SecretStr | None = _for_kind("短信网关接口密码", "云MAS secretKey.", None)
    sms_sign: str = _for_kind("短信签名编码", "云MAS sign: the code of the signature.")
    sms_add_serial: str = _said("短信扩展码", "云MAS addSerial.", "", max_length=20)
    sms_key_id: str = _for_kind("短信网关密钥编号，阿里云形态", "Access key id.")
    sms_key_secret: SecretStr | None = _for_kind("短信网关密钥，阿里云形态", "Access key secret.", None)
    sms_sign_name: str = _for_kind("短信签名，阿里云形态", "Name of the signature.")
    sms_template: str = _for_kind("短信模板编号，阿里云形态", "Template whose one variable is content.")
    sms2_kind: GatewayKind | None = _said(
        "备用短信网关种类（不设则无备用）", "Kind of the second gateway; unset where there is none.", None
    )
    sms2_url: BaseUrl | None = _for_kind("备用短信网关地址", "Base address of the second gateway.", None)
    sms2_ec_name: str = _for_kind("备用网关集团名称", "云MAS ecName.")
    sms2_ap_id: str = _for_kind("备用网关接口账号", "云MAS apId.")
    sms2_secret_key: SecretStr | None = _for_kind("备用网关接口密码", "云MAS secretKey.", None)
    sms2_sign: str = _for_kind("备用网关签名编码", "云MAS sign.")
    sms2_add_serial: str = _said("备用网关扩展码", "云MAS addSerial.", "", max_length=20)
    sms2_key_id: str = _for_kind("备用网关密钥编号，阿里云形态", "Access key id.")
    sms2_key_secret: SecretStr | None = _for_kind("备用网关密钥，阿里云形态", "Access key secret.", None)
    sms2_sign_name: str = _for_kind("备用网关签名，阿里云形态", "Name of the signature.")
    sms2_template: str = _for_kind("备用网关模板编号，阿里云形态", "Template whose one variable is content.")
    sms_digest_minutes: Positive = _said("短信汇总窗口（业务分钟）", "Window of a digest, business time.", 30)
    sms_daily_cap: Positive = _said("每名联络员每日短信上限", "Most texts to a liaison on one day.", 20)
    sms_unknown_hold_minutes: Positive = _said(
        "短信结果未明多久转人工（业务分钟）", "How long an unknown text waits for its receipt.", 60
    )

    listener_host: str = _said("回执监听地址", "Where receipts are listened for.", "127.0.0.1", min_length=1)
    listener_port: Port = _said("回执监听端口", "Port of the receipt listener.", 4221)
    listener_path_secret: Annotated[SecretStr, AfterValidator(path_secret)] = _said(
        "回执地址中的随机串", "Unguessable part of the receipt address; receipts are unsigned."
    )

    call_deadline_s: Annotated[float, Field(gt=0, le=300)] = _said(
        "单次调用总时限（秒）", "Total deadline of one call, from connection to last byte.", 20.0
    )
    lease_s: Annotated[float, Field(gt=0, le=3600)] = _said(
        "领取时限（秒），须长于调用时限", "How long a worker keeps an effect; longer than a call.", 60.0
    )
    calls_in_flight: Positive = _said(
        "每个系统的并发调用上限", "Most calls at once to one system.", 16, le=256
    )
    breaker_failures: Positive = _said(
        "连续几次未成即暂停该对象", "Failures in a row that stop calls to a target.", 5
    )
    breaker_within_s: Annotated[float, Field(gt=0, le=86400)] = _said(
        "连续未成的时间范围（秒）", "How close together those failures must be.", 120.0
    )
    breaker_first_pause_s: Annotated[float, Field(gt=0, le=3600)] = _said(
        "首次试探前的间隔（秒）", "Pause before the first look whether a target answers again.", 2.0
    )
    breaker_longest_pause_s: Annotated[float, Field(gt=0, le=3600)] = _said(
        "试探间隔的上限（秒）", "Longest pause between two looks.", 60.0
    )
    call_limits: Annotated[str, AfterValidator(checked_limits)] = _said(
        "调用上限，各进程合计，如“platform=50/s,16并发;sms=5/s;部门代码=2/s”",
        "Most calls a second and at once, of all workers together, by system or department.",
        "",
    )
    stall_s: Annotated[float, Field(ge=1, le=86400)] = _said(
        "进程停顿多久即自行结束（秒）", "A process whose loop stands still so long ends itself.", 300.0
    )
    batch_size: Positive = _said("每批处理件数", "How many cases one step takes.", 200, le=5000)
    page_size: Positive = _said("每页取数件数", "How many records are asked for at once.", 200, le=500)

    alert_webhook_url: Annotated[SecretStr, AfterValidator(webhook_url)] | None = _said(
        "告警地址（企业微信、钉钉机器人或兼容的 webhook）",
        "Where alerts are posted; without it nobody is told. Taken: 2xx, and nothing or JSON.",
        None,
    )
    alert_overdue_limit: Annotated[int, Field(ge=0)] = _said(
        "逾期超过几项时告警", "More than so many overdue raise an alert, once a day.", 0
    )

    city_root: Path | None = _said(
        "城市文件夹所在目录（不设则为 config）", "Where the city's folder lies, when not in config/.", None
    )
    city: str = _said(
        "城市（其文件夹名）", "The city: the name of its folder.", "yiyang", validate_default=True
    )
    var_dir: Path = _said("运行数据目录", "Where files made while running lie.", Path("var"))
    journal_dir: Path | None = _said(
        "外发日志目录（须在数据库之外；不设则为密钥文件旁的 journal）",
        "Where this host's journal lies, outside the database; unset: journal/ beside the key file.",
        None,
    )
    journal_mebibytes: Positive = _said(
        "外发日志总量上限（MiB）",
        "Most the journal of one ledger takes; must outlast the oldest backup.",
        256,
        ge=16,
    )
    seed: int = _said("演示数据的种子", "Seed of the demo's world.", 20260301)
    log_level: Literal["debug", "info", "warning", "error"] = _said("日志级别", "Least level logged.", "info")
    log_format: Literal["auto", "json", "console"] = _said(
        "日志格式（auto：终端上为文字，其余为 JSON）", "auto: words on a terminal, else JSON.", "auto"
    )
    prefect_api_url: BaseUrl | None = _said(
        "Prefect 服务地址",
        "Prefect's API; unset where only plain steps run.",
        None,
        validation_alias="PREFECT_API_URL",
    )
    prefect_api_auth: SecretStr | None = _said(
        "Prefect 登录口令（user:password）",
        "Prefect's shared login.",
        None,
        validation_alias="PREFECT_API_AUTH_STRING",
    )

    prefect_ui_url: BaseUrl | None = _said(
        "界面地址，浏览器所用（不设则由 PREFECT_API_URL 推出）",
        "Where browsers find Prefect's UI; derived from its API's address when unset.",
        None,
        validation_alias="PREFECT_UI_URL",
    )

    @field_validator("city")
    @classmethod
    def _city_is_there(cls, city: str, info: ValidationInfo) -> str:
        return city_folder(city, info.data.get("city_root"))

    @field_validator(*(f"{gateway}_{name}" for gateway in ("sms", "sms2") for name in ACCOUNT_OF))
    @classmethod
    def _gateway_is_whole(cls, value: Any, info: ValidationInfo) -> Any:
        assert info.field_name is not None
        gateway, _, name = info.field_name.partition("_")
        return account_word(value, name, info.data.get(f"{gateway}_kind"))

    @field_validator("sms2_url")
    @classmethod
    def _second_is_somewhere(cls, value: Any, info: ValidationInfo) -> Any:
        return account_word(value, "url", info.data.get("sms2_kind"))

    @field_validator("lease_s")
    @classmethod
    def _lease_outlasts_call(cls, lease_s: float, info: ValidationInfo) -> float:
        if lease_s <= info.data.get("call_deadline_s", 0):
            raise PydanticCustomError("lease", "须长于单次调用总时限")
        return lease_s

    @property
    def ui_url(self) -> str | None:
        """The address of Prefect's pages as browsers know it, without a slash at its end."""
        if self.prefect_ui_url is not None:
            return self.prefect_ui_url.rstrip("/")
        return self.prefect_api_url and self.prefect_api_url.rstrip("/").removesuffix("/api")

    @property
    def journal_folder(self) -> Path:
        """Below which the journal of each ledger lies."""
        return self.journal_dir or self.seal_keys_file.parent / "journal"

    @property
    def evidence_folder(self) -> Path:
        """Where the signed heads of the evidence lie."""
        return self.evidence_dir or self.var_dir / "evidence"

    @property
    def platform(self) -> Signed:
        """What the platform's client needs."""
        return Signed(self.platform_url, self.platform_key_id, self.platform_secret, self.platform_signing)

    @property
    def credit(self) -> Signed:
        """What the credit system's client needs."""
        return Signed(self.credit_url, self.credit_key_id, self.credit_secret, self.credit_signing)

    @property
    def sms(self) -> Gateway:
        """What the SMS gateway's client needs."""
        return self._gateway("sms", self.sms_kind, self.sms_url)

    @property
    def second_sms(self) -> Gateway | None:
        """What the second gateway's client needs; None where there is none."""
        if self.sms2_kind is None or self.sms2_url is None:
            return None
        return self._gateway("sms2", self.sms2_kind, self.sms2_url)

    def _gateway(self, name: str, kind: GatewayKind, url: str) -> Gateway:
        words: dict[str, Any] = {}
        for word in (*ACCOUNT_OF, "add_serial"):
            said = getattr(self, f"{name}_{word}")
            words[word] = SecretStr("") if said is None else said
        return Gateway(kind, url, **words)


def variable_of(field: str) -> str:
    """The environment variable that sets this field."""
    alias = Settings.model_fields[field].validation_alias
    return alias if isinstance(alias, str) else f"{PREFIX}{field.upper()}"


def load_settings() -> Settings:
    """The settings of this process.

    Raises:
        SettingsWrong: naming every problem at once, in Chinese and without any value.
    """
    known = {variable_of(field) for field in Settings.model_fields}
    problems = [
        f"{name}：不认识的设置，请核对拼写"
        for name in sorted(os.environ)
        if name.upper().startswith(PREFIX) and name.upper() not in known
    ]
    try:
        settings = Settings()
    except ValidationError as wrong:
        problems += [_sentence(error) for error in wrong.errors(include_url=False, include_input=False)]
    if problems:
        raise SettingsWrong(tuple(problems))
    return settings


def _sentence(error: Any) -> str:
    # An error names its field, or the alias the field is read by.
    place = str(error["loc"][0])
    field = next(name for name in Settings.model_fields if place in {name, variable_of(name)})
    return f"{variable_of(field)}（{Settings.model_fields[field].title}）：{problem_of(error)}"
