"""The composition root: settings in, every service open, handed out in pieces."""

import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import structlog

from adapters.credit.client import CreditClient
from adapters.credit.port import Credit
from adapters.exchange import Exchange
from adapters.platform.client import PlatformClient
from adapters.platform.port import Platform
from adapters.signing import make_signer
from adapters.sms.aliyun import AliyunAccount, AliyunClient
from adapters.sms.port import SmsGateway
from adapters.sms.yunmas import YunmasAccount, YunmasClient
from adapters.transport import Transport
from config.calendar import load_working_days
from config.city import City, load_city
from config.logging import configure_logging
from config.settings import Gateway, Settings, Signed, load_settings
from models.domain.breaking import SMS, SMS_SECOND
from models.domain.workdays import Calendar
from models.evidence.folder import EvidenceFolder
from models.evidence.signing import Signer
from models.ledger.connection import Ledger
from models.ledger.key_check import assert_ours
from models.ledger.keyring import Keyring
from models.ledger.sealing import Sealing
from tasks.evidence.sealer import Sealer
from tasks.failing import Failing
from tasks.restore.guarding import SenderGuard
from tasks.sending.beside import Beside
from tasks.watchdog import watched


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a process works with. Steps are handed the pieces they need, never this."""

    settings: Settings
    city: City
    calendar: Calendar
    sealing: Sealing
    ledger: Ledger
    platform: Platform
    credit: Credit
    gateways: Mapping[str, SmsGateway]
    sealer: Sealer
    worker: str
    guard: SenderGuard
    beside: Beside = field(default_factory=Beside)
    failing: Failing = field(default_factory=Failing)

    @property
    def sms(self) -> SmsGateway:
        """The first gateway."""
        return self.gateways[SMS]


_current: ContextVar[Services | None] = ContextVar("services", default=None)


@asynccontextmanager
async def open_services(settings: Settings | None = None) -> AsyncIterator[Services]:
    """The services of this process, bound to the running event loop; those already open are used again.

    Raises:
        SettingsWrong, CityFilesWrong, KeyringBroken: naming every problem, before anything is opened.
        LedgerUnavailable: PostgreSQL does not answer.
    """
    if (services := _current.get()) is not None:
        yield services
        return
    settings = settings or load_settings()
    if not structlog.is_configured():
        # A program that is not ours, Prefect's worker, runs our flows: our lines keep their guard.
        configure_logging(level=settings.log_level, form=settings.log_format)
    city = load_city(settings.city, settings.city_root)
    calendar = Calendar(*load_working_days(city.folder / "calendar.toml"))
    keyring = Keyring.load(settings.seal_keys_file)
    sealing = Sealing(keyring)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(watched(settings.stall_s))
        ledger = await stack.enter_async_context(
            Ledger.open(settings.database_url.get_secret_value(), max_size=settings.pool_size)
        )
        await assert_ours(ledger, keyring, settings.seal_keys_file)
        platform = await stack.enter_async_context(_exchange(settings, settings.platform, "platform"))
        credit = await stack.enter_async_context(_exchange(settings, settings.credit, "credit"))
        guard = SenderGuard(
            settings.journal_folder, calendar, most_bytes=settings.journal_mebibytes * 1024 * 1024
        )
        stack.callback(guard.close)
        first, second = settings.sms, settings.second_sms
        gateways: dict[str, SmsGateway] = {
            SMS: await stack.enter_async_context(_gateway(first, SMS, settings.call_deadline_s))
        }
        if second is not None:
            client = _gateway(second, SMS_SECOND, settings.call_deadline_s)
            gateways[SMS_SECOND] = await stack.enter_async_context(client)
        services = Services(
            settings,
            city,
            calendar,
            sealing,
            ledger,
            PlatformClient(platform),
            CreditClient(credit),
            gateways,
            _sealer(settings, ledger, calendar),
            f"{socket.gethostname()}:{os.getpid()}",
            guard,
        )
        stack.push_async_callback(services.beside.finished)
        token = _current.set(services)
        try:
            yield services
        finally:
            _current.reset(token)


def current() -> Services:
    """The services that are open in this context."""
    services = _current.get()
    assert services is not None, "a step runs inside open_services()"
    return services


def _sealer(settings: Settings, ledger: Ledger, calendar: Calendar) -> Sealer:
    signer = Signer.load(settings.evidence_key_file) if settings.evidence_key_file else None
    folder = EvidenceFolder(settings.evidence_folder)
    return Sealer(ledger, calendar, folder, signer, every_s=settings.evidence_every_s)


def _gateway(gateway: Gateway, name: str, deadline_s: float) -> YunmasClient | AliyunClient:
    transport = Transport(gateway.url, target=name, kept_s=0)
    if gateway.kind == "aliyun":
        secret = gateway.key_secret.get_secret_value()
        keys = AliyunAccount(gateway.key_id, secret, gateway.sign_name, gateway.template)
        return AliyunClient(transport, keys, deadline_s=deadline_s)
    account = YunmasAccount(
        gateway.ec_name,
        gateway.ap_id,
        gateway.secret_key.get_secret_value(),
        gateway.sign,
        gateway.add_serial,
    )
    return YunmasClient(transport, account, deadline_s=deadline_s)


def _exchange(settings: Settings, signed: Signed, target: str) -> Exchange:
    signer = make_signer(
        signed.signing, key_id=signed.key_id, secret=signed.secret.get_secret_value().encode()
    )
    transport = Transport(signed.url, target=target, connections=settings.calls_in_flight)
    return Exchange(transport, signer, deadline_s=settings.call_deadline_s)
