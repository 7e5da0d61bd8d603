"""Real programs beside the gateway: proxies in front of it, and clients that are not ours."""

import asyncio
import contextlib
import os
import shutil
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.abuse.wire import HOST
from tests.patience import GIVE_UP, until_told
from tests.test_readme import free_port

READ_SECONDS = 4  # that each proxy waits for an answer
HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client {seconds}s
  timeout server {seconds}s
frontend publishers
  bind {host}:{front}
  http-request deny deny_status 403 if {{ req.hdr(Authorization) -m found }} {{ path /closed }}
  default_backend gateway
backend gateway
  server one {host}:{gateway}
"""
NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen {host}:{front};
    location / {{
      proxy_pass http://{host}:{gateway};
      proxy_read_timeout {seconds}s;
    }}
  }}
}}
"""


def program(name: str) -> str:
    """Where a program is; the test is skipped where it is not installed."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{name} is not here")
    return found


@contextlib.asynccontextmanager
async def proxied(kind: str, gateway: int, folder: Path) -> AsyncIterator[int]:
    """The port of a proxy before the gateway at another port: "haproxy" or "nginx" as they come, or "none"."""
    if kind == "none":
        yield gateway
        return
    front = free_port()
    template, arguments = {
        "haproxy": (HAPROXY, ["-f", f"{folder}/haproxy.cfg"]),
        "nginx": (NGINX, ["-p", str(folder), "-c", f"{folder}/nginx.cfg"]),
    }[kind]
    text = template.format(host=HOST, front=front, gateway=gateway, folder=folder, seconds=READ_SECONDS)
    (folder / f"{kind}.cfg").write_text(text)
    process = await asyncio.create_subprocess_exec(program(kind), *arguments, stdout=PIPE, stderr=STDOUT)
    try:
        await until_told(lambda: _accepts(front, process))
        yield front
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def _accepts(port: int, process: asyncio.subprocess.Process) -> bool:
    assert process.returncode is None, (await process.communicate())[0].decode()
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except ConnectionError:
        return False
    writer.close()
    return True


async def run(name: str, *arguments: str) -> str:
    """What a program prints. It must end with 0."""
    process = await asyncio.create_subprocess_exec(program(name), *arguments, stdout=PIPE, stderr=PIPE)
    async with asyncio.timeout(2 * GIVE_UP):
        out, errors = await process.communicate()
    assert process.returncode == 0, (out + errors).decode()
    return out.decode()
