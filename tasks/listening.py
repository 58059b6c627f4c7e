"""The receipt listener as a process: an app that is handed the function it calls."""

import uvicorn

from adapters.listener.app import make_listener
from adapters.values import InboundReceipt
from tasks.composition import open_services
from tasks.receipts import keep_receipt


async def run_listener() -> None:
    """Listen for receipts until SIGTERM. Each is kept before the gateway gets its answer."""
    async with open_services() as services:
        settings = services.settings

        async def receive(raw: bytes, receipt: InboundReceipt | None) -> None:
            await keep_receipt(services.ledger, services.sealing, raw, receipt)

        app = make_listener(path_secret=settings.listener_path_secret.get_secret_value(), receive=receive)
        # No access log: the path holds the secret.
        config = uvicorn.Config(
            app,
            host=settings.listener_host,
            port=settings.listener_port,
            log_level="warning",
            access_log=False,
        )
        await uvicorn.Server(config).serve()
