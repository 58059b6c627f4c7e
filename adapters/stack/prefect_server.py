"""Prefect's server and what its clients need to reach it.

The server runs on a database of its own (Prefect's reset drops every table it finds), on
loopback, behind a generated login, with CSRF protection on, other origins shut out, and without
telemetry.
"""

import secrets
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from adapters.prefect_api.values import RUNS_KEPT
from adapters.stack.processes import Program, Supervisor
from adapters.stack.ready import answers
from adapters.stack.secrets import kept_secret

_START_TIMEOUT = 90.0

_QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_CLI_COLORS": "false",
    "PREFECT_LOGGING_COLORS": "false",
    "PREFECT_CLI_PROMPT": "false",
}

# Events go after a week, finished runs after RUNS_KEPT, and what hung on them with them.
_RETENTION = {
    "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": "P7D",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs,orphans",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(int(RUNS_KEPT.total_seconds())),
}

# The defaults write and schedule one row at a time; a sweep a minute needs no hundred runs ahead.
_PACE = {
    "PREFECT_SERVER_SERVICES_SCHEDULER_MAX_RUNS": "5",
    "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_RUNS": "2",
    "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_SCHEDULED_TIME": "PT2M",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "50",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
}


_NO_SECOND_UI = """<!doctype html><html lang="zh"><meta charset="utf-8"><title>审管联动</title>
<p>此界面会访问外部地址，已停用。<a href="/">返回</a>（如仍跳回此页，请清除本站的 Cookie）</p></html>
"""


@dataclass(frozen=True)
class PrefectServer:
    """One server below ``folder`` on a loopback port; ``database_url`` speaks asyncpg.

    ``public_url`` is where browsers find it when something in front of it, such as a proxy, has another
    address: its pages then ask there, and are let in.
    """

    folder: Path
    port: int
    database_url: str
    public_url: str | None = None

    @property
    def ui_url(self) -> str:
        """Where people look."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_url(self) -> str:
        """Where programs ask."""
        return f"{self.ui_url}/api"

    @property
    def auth(self) -> str:
        """The shared login ``user:password``, drawn once and kept in ``folder/auth`` (0600)."""
        return kept_secret(self.folder / "auth", lambda: f"admin:{secrets.token_urlsafe(18)}")

    def client_environment(self) -> dict[str, str]:
        """What a program needs to speak with this server."""
        return {
            **_QUIET,
            "PREFECT_API_URL": self.api_url,
            "PREFECT_API_AUTH_STRING": self.auth,
            # Lines of runs are read in the UI; a program's own output says what hinders it.
            "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
            "PREFECT_HOME": str((self.folder / "prefect").resolve()),
            "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "true",
            "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
        }

    def program(self) -> Program:
        """The server as a child program."""
        origins = f"{self.ui_url},http://localhost:{self.port}"
        asks: dict[str, str] = {}
        if self.public_url is not None:
            scheme, _, rest = self.public_url.partition("://")
            origins += f",{scheme}://{rest.partition('/')[0]}"
            asks["PREFECT_SERVER_UI_API_URL"] = f"{self.public_url.rstrip('/')}/api"
        environment = {
            **self.client_environment(),
            **_RETENTION,
            **_PACE,
            **asks,
            "PREFECT_SERVER_API_HOST": "127.0.0.1",
            "PREFECT_SERVER_API_PORT": str(self.port),
            "PREFECT_SERVER_API_AUTH_STRING": self.auth,
            "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "true",
            "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": origins,
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": self.database_url,
            "PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_APPLICATION_NAME": "prefect",
            "PREFECT_SERVER_ENCRYPTION_KEY": self._encryption_key(),
            "PREFECT_SERVER_UI_V2_ENABLED": "false",
            "PREFECT_SERVER_UI_STATIC_DIRECTORY": str((self.folder / "prefect" / "ui").resolve()),
            "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        }
        return Program(
            "prefect-server",
            [sys.executable, "-m", "prefect", "server", "start"],
            environment,
            restart=True,
            grace=8,
        )

    def launch(self, supervisor: Supervisor) -> None:
        """Starts it; ``wait`` says when it answers. Its imports alone take seconds."""
        self._shut_out_second_ui()
        supervisor.start(self.program())

    def wait(self, supervisor: Supervisor) -> float:
        """Returns when it answers; the seconds that took.

        Raises:
            ProgramEnded: it did not start.
        """
        return supervisor.wait_for("prefect-server", self.is_ready, timeout=_START_TIMEOUT)

    def is_ready(self) -> bool:
        """Whether the server answers and its database does."""
        return answers(f"{self.api_url}/ready")

    def _shut_out_second_ui(self) -> None:
        """Prefect's second UI asks an analytics service from the browser, whatever the server is told.

        It is served from a folder that the server fills at its start, unless a note in it says that this
        version was copied already: so a page of ours stands there, and leads back.
        """
        place = self.folder / "prefect" / "ui" / "v2"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        (place / "index.html").write_text(_NO_SECOND_UI, encoding="utf-8")
        (place / "UI_SERVE_BASE").write_text(f"v2:{version('prefect')}:/v2", encoding="utf-8")

    def _encryption_key(self) -> str:
        """Prefect keeps this key in its own database unless it is given one."""
        from cryptography.fernet import Fernet

        return kept_secret(self.folder / "prefect" / "encryption-key", lambda: Fernet.generate_key().decode())
