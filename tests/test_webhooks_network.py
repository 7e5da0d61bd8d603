"""Where webhooks may go: to public addresses only, whatever a name says, and to whom the certificate names."""

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.webhooks import http_client
from gateway.webhooks.network import ForbiddenAddressError, Lookup, Resolver, public_socket
from gateway.webhooks.sender import Answer, send
from tests.webhook_receiver import receiving

PUBLIC = "9.9.9.9"
FORBIDDEN = (
    "127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "224.0.0.1",
    "240.0.0.1", "198.18.0.1", "::1", "::", "::ffff:127.0.0.1", "::ffff:9.9.9.9", "fc00::1", "fd00::1", "fe80::1",
    "ff02::1", "64:ff9b::7f00:1", "2002:7f00:1::1", "2001::1", "2001:db8::1",
)  # fmt: skip


class Names:
    """A resolver that says what it is told, and remembers what it was asked."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, _family: int, _kind: int) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        return [_info(address, port) for address in self.addresses]


def _info(address: str, port: int) -> tuple[Any, ...]:
    if ipaddress.ip_address(address).version == 4:
        return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
    return (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))


async def post(url: str, lookup: Lookup = socket.getaddrinfo, **options: Any) -> Answer:
    async with http_client(lookup=lookup, **options) as client:
        return await send(client, url, b"{}", {}, 5.0, 0.0)


@pytest.mark.parametrize("address", FORBIDDEN)
async def test_a_name_that_leads_to_a_forbidden_address_is_not_called(address: str) -> None:
    assert await post("http://told.example/", Names(address)) == Answer("ForbiddenAddress")
    assert await post("https://told.example/", Names(PUBLIC, address)) == Answer("ForbiddenAddress")
    assert await post("https://told.example/", Names(address, PUBLIC)) == Answer("ForbiddenAddress")


@pytest.mark.parametrize("address", FORBIDDEN)
async def test_a_forbidden_address_in_the_url_is_not_called(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    assert await post(f"http://{host}:8400/") == Answer("ForbiddenAddress")
    with pytest.raises(ForbiddenAddressError):
        public_socket(_info(address, 443))


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST."])
async def test_this_host_by_name_is_not_called(host: str) -> None:
    async with receiving() as receiver:
        port = receiver.url.split(":")[2].partition("/")[0]
        assert (await post(f"http://{host}:{port}/")).cause in ("ForbiddenAddress", "ClientConnectorDNSError")
        assert receiver.received == []


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0x7f000001", "017700000001", "127.0.0.01"])
async def test_this_host_in_an_odd_notation_is_not_called(host: str) -> None:
    async with receiving() as receiver:
        port = receiver.url.split(":")[2].partition("/")[0]
        assert (await post(f"http://{host}:{port}/")).cause
        assert receiver.received == []


async def test_a_name_is_looked_up_once_and_the_address_that_was_checked_is_called() -> None:
    called: list[str] = []

    class Once(Names):
        def __call__(self, host: str, port: int, family: int, kind: int) -> list[tuple[Any, ...]]:
            found = super().__call__(host, port, family, kind)
            self.addresses = ("127.0.0.1",)  # a second answer would lead here
            return found

    async with receiving() as receiver:
        port = receiver.url.split(":")[2].partition("/")[0]
        names = Once(PUBLIC)
        async with http_client(lookup=names) as client:
            answer = await send(client, f"http://told.example:{port}/", b"{}", {}, 0.5, 0.0)
        assert answer.cause in ("TimeoutError", "ClientConnectorError") and names.asked == ["told.example"]
        assert receiver.received == [] and called == []


async def test_the_address_that_was_resolved_is_the_one_that_is_called_under_its_name() -> None:
    async with receiving() as receiver:
        port = receiver.url.split(":")[2].partition("/")[0]
        names = Names("127.0.0.1")
        assert await post(f"http://told.example:{port}/x?y=z", names, allow_private=True) == Answer()
        assert names.asked == ["told.example"]
        ((headers, _),) = receiver.received
        assert headers["host"] == f"told.example:{port}"


async def test_a_name_that_nobody_has() -> None:
    def nobody(*_: object) -> list[tuple[Any, ...]]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert await post("https://told.example/", nobody) == Answer("ClientConnectorDNSError")
    assert await post("https://told.example/", lambda *_: []) == Answer("ClientConnectorDNSError")

    def broken(*_: object) -> list[tuple[Any, ...]]:
        raise RuntimeError

    assert await post("https://told.example/", broken) == Answer("RuntimeError")


async def test_a_name_server_that_hangs_does_not_hold_up_others() -> None:
    blocked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang(host: str, port: int, *_: object) -> list[tuple[Any, ...]]:
        if host == "slow.example":
            asyncio.run_coroutine_threadsafe(blocked.wait(), loop).result()
        return [_info("127.0.0.1", port)]

    async with receiving() as receiver, http_client(allow_private=True, lookup=hang) as client:
        port = receiver.url.split(":")[2].partition("/")[0]
        slow = [
            asyncio.create_task(send(client, f"http://slow.example:{port}/", b"{}", {}, 30.0, 0.0))
            for _ in range(4)
        ]
        await asyncio.sleep(0.05)
        assert await send(client, f"http://quick.example:{port}/", b"{}", {}, 30.0, 0.0) == Answer()
        assert len(receiver.received) == 1
        blocked.set()
        assert await asyncio.gather(*slow) == [Answer()] * 4


async def test_a_resolver_that_may_go_anywhere() -> None:
    resolver = Resolver(Names("127.0.0.1", "::1"), allow_private=True)
    assert [one["host"] for one in await resolver.resolve("told.example", 443)] == ["127.0.0.1", "::1"]
    await resolver.close()


# TLS


@pytest.fixture(scope="module")
def authority(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], tuple[ssl.SSLContext, ssl.SSLContext]]:
    """Contexts of a server with a certificate for a name, and of a client that trusts its authority."""
    folder = tmp_path_factory.mktemp("tls")

    def contexts(name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        key, certificate = _certificate(name)
        (folder / "key.pem").write_bytes(key)
        (folder / "certificate.pem").write_bytes(certificate)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
        return server, ssl.create_default_context(cafile=str(folder / "certificate.pem"))

    return contexts


def _certificate(name: str) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return (
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        certificate.public_bytes(serialization.Encoding.PEM),
    )


Authority = Callable[[str], tuple[ssl.SSLContext, ssl.SSLContext]]


async def test_the_certificate_is_verified_for_the_name_though_the_address_is_called(
    authority: Authority,
) -> None:
    server, trusting = authority("told.example")
    async with receiving(server) as receiver:
        port = receiver.url.split(":")[2].partition("/")[0]
        options: dict[str, Any] = {"lookup": Names("127.0.0.1"), "allow_private": True}
        assert await post(f"https://told.example:{port}/", tls=trusting, **options) == Answer()
        others = await post(f"https://other.example:{port}/", tls=trusting, **options)
        assert others.cause == "ClientConnectorCertificateError"
        by_address = await post(f"https://127.0.0.1:{port}/", tls=trusting, **options)
        assert by_address.cause == "ClientConnectorCertificateError"
        untrusted = await post(f"https://told.example:{port}/", **options)
        assert untrusted.cause == "ClientConnectorCertificateError"
        assert len(receiver.received) == 1


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with receiving() as receiver:
        assert await post(receiver.url, allow_private=True) == Answer()


def test_what_the_environment_trusts_is_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    http_client()
