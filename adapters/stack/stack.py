"""The whole product on one machine, from PostgreSQL to the Prefect UI."""

import contextlib
import json
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from adapters.stack import deploy, postmaster
from adapters.stack.plan import Plan
from adapters.stack.postgres import Cluster
from adapters.stack.prefect_server import PrefectServer
from adapters.stack.processes import Program, Supervisor, end_politely_on_signals
from adapters.stack.quiet_world import make_quiet
from adapters.stack.ready import answers
from adapters.stack.secrets import Secrets
from adapters.stack.simulators import Simulators
from adapters.stack.worker import worker_program
from config.settings import Settings, load_settings
from config.surroundings import adopt
from models.evidence.signing import create_signing_key
from models.ledger.keyring import create_keyring
from models.ledger.migrate import upgrade

_START_TIMEOUT = 60.0
LOOK_S = 5.0
"""Seconds between two looks at what runs."""


class Stack:
    """Everything a plan names, running between ``with`` and its end; leaving leaves no process behind.

    Entering ends what an earlier stack of the folder left, checks settings and ports, and returns when
    ledger, simulators, listener and Prefect's server answer. Deployments are made meanwhile, but nothing
    works yet: there is time to look at the ledger, and to fill it. ``wait_deployed`` lets dispatcher and
    worker begin. This process takes on the stack's settings (``os.environ``), so Prefect must not be
    imported before, and SIGTERM and a closed terminal end it as Ctrl-C does.
    Not to be entered inside a running event loop.

    Raises on entering:
        SettingsWrong, PortTaken, ClusterFailed, ProgramEnded: in Chinese, what hinders the start.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.folder = plan.folder
        self.timings: dict[str, float] = {}
        """Seconds each part of the start took; parts overlap."""
        self.supervisor = Supervisor(plan.folder)
        self.settings: Settings
        self.cluster: Cluster
        self.server: PrefectServer
        self.simulators: Simulators
        self._secrets: Secrets
        self._exit = ExitStack()
        self._deploying: threading.Thread | None = None
        self._deploy_failed: BaseException | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            end_politely_on_signals()
        with self._timed("start"), contextlib.ExitStack() as undo:
            undo.push(self)
            self._start()
            undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        begun = time.monotonic()
        self.supervisor.closing()  # nothing new begins
        if self._deploying is not None:
            self.supervisor.stop(deploy.PROGRAM)
            self._deploying.join()
        self._exit.close()
        self.timings["stop"] = time.monotonic() - begun

    def environment(self) -> dict[str, str]:
        """The settings of this stack's programs; the owner's password is not among them."""
        plan, ports = self.plan, self.plan.ports
        made = {
            "SHENGUAN_CITY": plan.city,
            **({"SHENGUAN_CITY_ROOT": str(plan.city_root.resolve())} if plan.city_root else {}),
            "SHENGUAN_SEED": str(plan.seed),
            "SHENGUAN_SEAL_KEYS_FILE": str((self.folder / "keys" / "seal.json").resolve()),
            "SHENGUAN_JOURNAL_DIR": str((self.folder / "journal").resolve()),
            "SHENGUAN_EVIDENCE_KEY_FILE": str((self.folder / "keys" / "evidence.key").resolve()),
            "SHENGUAN_EVIDENCE_DIR": str((self.folder / "evidence").resolve()),
            "SHENGUAN_LISTENER_HOST": "127.0.0.1",
            "SHENGUAN_LISTENER_PORT": str(ports.listener),
            "SHENGUAN_LISTENER_PATH_SECRET": self._secrets["listener"],
            **self.simulators.settings(),
        }
        if plan.own_ledger:
            made["SHENGUAN_DATABASE_URL"] = self.cluster.url("app", "shenguan")
        made |= plan.given
        # What may change tables is used here, once, and handed to nobody.
        made.pop("SHENGUAN_OWNER_DATABASE_URL", None)
        return {**made, **self.server.client_environment()} if plan.prefect else made

    def wait_deployed(self) -> None:
        """Lets the dispatcher begin; returns when all of ``prefect.yaml`` is deployed and the worker runs.

        Raises:
            ProgramEnded: something could not be deployed.
        """
        if self.plan.dispatcher and not self.supervisor.is_alive("dispatcher"):
            self.supervisor.start(self._own_program("dispatcher", "dispatch"))
        if self._deploying is not None:
            self._deploying.join()
        if self._deploy_failed is not None:
            raise self._deploy_failed
        if self.plan.worker and not self.supervisor.is_alive("worker"):
            self.supervisor.start(worker_program(self.server, self.environment()))

    def stay(self, look: Callable[[], None] | None = None) -> None:
        """Keeps the stack up until Ctrl-C or SIGTERM (KeyboardInterrupt) ends it.

        Every few seconds it tends what it started, and calls ``look``.
        """
        self.wait_deployed()
        while True:
            time.sleep(LOOK_S)
            self.simulators.tend()
            if look is not None:
                look()

    def where(self) -> list[str]:
        """Where people look, in Chinese."""
        ports = self.plan.ports
        lines = [
            f"界面      {self.server.ui_url}   （登录口令在 {_near(self.folder / 'auth')}）",
            f"回执监听  http://127.0.0.1:{ports.listener}",
        ]
        names = {"platform": "平台仿真", "credit": "信用仿真", "sms": "短信仿真", "sms2": "备用短信仿真"}
        lines += [
            f"{names[system]}  {self.simulators.url(system)}   台账 {_near(self.simulators.ledger(system))}"
            for system in self.plan.simulated
        ]
        lines.append(f"日志      {_near(self.folder / 'log')}/*.log")
        return lines

    def _start(self) -> None:
        plan = self.plan
        self._exit.callback(self._stop_cluster)  # pushed first: PostgreSQL is left last
        self._exit.enter_context(self.supervisor)
        if plan.renew or plan.fresh:
            self._renew()
        plan.ports.assert_free(second_gateway=plan.second_gateway)
        self._secrets = Secrets(self.folder / "keys")
        with self._timed("postgres"):
            self.cluster = Cluster.create_or_open(self.folder / "pg")
            self._name_parts()
            with contextlib.suppress(FileExistsError):
                create_keyring(self.folder / "keys" / "seal.json")
            with contextlib.suppress(FileExistsError):
                create_signing_key(self.folder / "keys" / "evidence.key")
            adopt(self.environment())
            self.settings = load_settings()
            self._start_cluster()
        if plan.prefect:
            self.server.launch(self.supervisor)
        with self._timed("world"):
            self._make_world()
        self.simulators.launch(self.supervisor)
        with self._timed("migrations"):
            self._migrate()
        if plan.listener:
            self._start_listener()
        with self._timed("simulators"):
            self.simulators.wait(self.supervisor)
        if not plan.prefect:
            return
        with self._timed("prefect_server"):
            self.server.wait(self.supervisor)
        self._deploying = threading.Thread(target=self._deploy, name="deploy")
        self._deploying.start()

    def _name_parts(self) -> None:
        plan, ports = self.plan, self.plan.ports
        database = self.cluster.url("prefect", "prefect", "asyncpg")
        self.server = PrefectServer(self.folder, ports.ui, database, plan.given.get("PREFECT_UI_URL"))
        self.simulators = Simulators(
            self.folder,
            {system: getattr(ports, system) for system in plan.simulated},
            self._secrets,
            listener=f"http://127.0.0.1:{ports.listener}",
        )

    def _start_cluster(self) -> None:
        self.cluster.start()
        stop = [sys.executable, "-m", "adapters.stack.last_will", str(self.cluster.data)]
        self.supervisor.start(Program("postgres-will", stop, last_will=True))

    def _stop_cluster(self) -> None:
        if hasattr(self, "cluster"):
            self.cluster.stop()

    def _make_world(self) -> None:
        world = self.simulators.world
        if (world / "world.json").exists() or not self.plan.simulated:
            return
        argv = [sys.executable, "-m", "adapters.sandbox.world", f"--seed={self.plan.seed}"]
        argv += [f"--cases={self.plan.cases}", f"--out={world.resolve()}"]
        argv.append(f"--city-dir={self.plan.city_folder}")
        self.supervisor.run(Program("world", argv), timeout=600)
        if self.plan.quiet_since is not None:
            make_quiet(world, self.plan.quiet_since)

    def _migrate(self) -> None:
        owner = self.plan.given.get("SHENGUAN_OWNER_DATABASE_URL")
        if self.plan.own_ledger:
            owner = self.cluster.url("owner", "shenguan")
        if owner:
            upgrade(owner)

    def _start_listener(self) -> None:
        self.supervisor.start(self._own_program("listener", "listen"))
        ready = partial(answers, f"http://127.0.0.1:{self.plan.ports.listener}/health")
        with self._timed("listener"):
            self.supervisor.wait_for("listener", ready, timeout=_START_TIMEOUT)

    def _deploy(self) -> None:
        try:
            with self._timed("deploy"):
                hook = self.settings.alert_webhook_url
                deploy.deploy_all(
                    self.supervisor,
                    self.server,
                    project=self.plan.project,
                    webhook=hook.get_secret_value() if hook else None,
                )
                if not self.plan.schedules:
                    deploy.stand_schedules_still(self.server)
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self._deploy_failed = error

    def _own_program(self, name: str, command: str) -> Program:
        program = Path(sys.executable).with_name("shenguan")
        return Program(name, [str(program), command], self.environment(), restart=True)

    def _renew(self) -> None:
        """Another seed or number of cases is another city: nothing of the old one stays."""
        same = False
        try:
            made = json.loads((self.folder / "world" / "world.json").read_text(encoding="utf-8"))
            same = (made["seed"], made["cases"]) == (str(self.plan.seed), self.plan.cases)
        except FileNotFoundError:
            same = True  # nothing was made here yet
        except (ValueError, KeyError, TypeError):
            pass
        if same and not self.plan.fresh:
            return
        data = self.folder / "pg" / "data"
        if (left := postmaster.find_postmaster(data)) is not None:
            postmaster.stop(left, data, "immediate")
        for path in self.folder.iterdir():
            if path == self.plan.city_root:
                continue
            if path.is_dir() and path.name != "log":
                shutil.rmtree(path)
            elif path.is_file():
                path.unlink()

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        begun = time.monotonic()
        try:
            yield
        finally:
            self.timings[part] = round(time.monotonic() - begun, 2)


def _near(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(path.resolve().relative_to(Path.cwd()))
    return str(path)
