"""A whole gateway over real sockets, on a thread of its own; what is forwarded to the core comes back into the inboxes."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import uvicorn
from joserfc.jwk import ECKey

from gateway import service
from gateway.app import create_app
from gateway.oauth2 import CoreClient, client_assertion, generate_signing_keys
from gateway.registry import Registry, RegistryHolder
from gateway.settings import Settings
from publishers.sandbox.servers import Server, listen
from tests.house import ASSERTION, PUBLISHERS


@dataclass
class LoopCore:
    """A core that delivers each Bundle to its recipient through the gateway, as the national core does."""

    url: str
    key: ECKey

    async def send(self, bundle: bytes) -> None:
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as http:
            form = {
                "grant_type": "client_credentials",
                "client_assertion_type": ASSERTION,
                "client_assertion": client_assertion(self.key, "national-core", self.url, time.time()),
            }
            token = (await http.post("/oauth2/token", data=form)).json()["access_token"]
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"}
            answer = await http.post("/core/$process-message", content=bundle, headers=headers)
            assert answer.status_code == 200, answer.text


@contextmanager
def live_gateway(folder: Path, publishers: Any = PUBLISHERS, **settings: Any) -> Iterator[str]:
    """The URL of a gateway that serves until the block ends."""
    with listen(0) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        made = Settings(
            base_url=url, database_url=f"sqlite:///{folder}/gateway.db", stop_grace=0.5, **settings
        )
        ready, stop = threading.Event(), threading.Event()

        async def serve() -> None:
            key = ECKey.generate_key("P-256", auto_kid=True)
            public = CoreClient(
                "national-core", {"keys": [orjson.loads(orjson.dumps(key.as_dict(private=False)))]}
            )
            keys = service.Keys(generate_signing_keys(), public)
            registry = RegistryHolder(Registry.of(publishers))
            async with service.running(made, registry, keys, LoopCore(url, key)) as runtime:
                config = uvicorn.Config(
                    create_app(runtime), lifespan="off", log_level="critical", timeout_graceful_shutdown=1
                )
                server = Server(config)
                task = asyncio.create_task(server.serve([listening]))
                while not server.started:  # noqa: ASYNC110 - uvicorn has a flag, no event
                    await asyncio.sleep(0.01)
                ready.set()
                await asyncio.to_thread(stop.wait)
                server.should_exit = True
                await task

        thread = threading.Thread(target=lambda: asyncio.run(serve()))
        thread.start()
        try:
            assert ready.wait(30)
            yield url
        finally:
            stop.set()
            thread.join(30)
