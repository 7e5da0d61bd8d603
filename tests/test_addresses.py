"""Which addresses are public, and which URLs may be those of an endpoint."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.addresses import is_public, private_problem, url_problem

PUBLIC = ("9.9.9.9", "1.1.1.1", "198.17.255.255", "198.20.0.1", "100.63.255.255", "100.128.0.0", "172.32.0.1",
          "2606:4700:4700::1111", "2a01:e0a::1")  # fmt: skip
NOT_PUBLIC = (
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "169.254.0.1", "100.64.0.1", "100.127.255.255", "192.0.0.8", "192.0.0.170", "192.0.2.1",
    "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.255.255.255",
    "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:9.9.9.9", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1",
    "64:ff9b::9.9.9.9", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::1", "2002:909:909::1",
    "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "2606:4700:4700::1111%eth0", "fec0::1", "ff02::1", "3fff::1",
    "4000::1", "5f00::1", "e000::1", "", "localhost", "127.1", "0x7f.0.0.1", "2130706433", "9.9.9.9:80",
)  # fmt: skip


@pytest.mark.parametrize("text", PUBLIC)
def test_an_address_of_the_public_internet(text: str) -> None:
    assert is_public(text)


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_what_is_no_address_of_the_public_internet(text: str) -> None:
    assert not is_public(text)


@given(st.ip_addresses(v=4))
def test_no_ipv6_notation_makes_an_ipv4_address_public(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    for base in ("::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::"):
        assert not is_public(str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(base)) + number)))
    assert not is_public(str(ipaddress.IPv6Address((0x2002 << 112) + (number << 80))))


@given(st.ip_addresses())
def test_what_python_holds_to_be_private_is_never_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    assert not is_public(str(address)) or address.is_global


@pytest.mark.parametrize(
    "url",
    [
        "https://lrm.example/webhooks", "https://lrm.example:8443/a?b=c", "https://lrm.example.", "http://127.0.0.1:8500/",
        "https://[2606:4700:4700::1111]/x", "https://a_b.example/", "https://xn--mdecin-bva.example/",
    ],
)  # fmt: skip
def test_a_url_of_an_endpoint(url: str) -> None:
    assert url_problem(url) == ""


@pytest.mark.parametrize(
    "url",
    [
        "", "lrm.example", "ftp://lrm.example/", "//lrm.example/", "https://", "https:///x", "https://user@lrm.example/",
        "https://user:pw@lrm.example/", "https://lrm.example/#x", "https://lrm.example/a b", "https://lrm.example/\n",
        "https://médecin.example/", "https://lrm.example:0/", "https://lrm.example:70000/", "https://lrm.example:x/",
        "https://127.1/", "https://2130706433/", "https://0x7f.1/", "https://0x7f000001/", "https://127.0.0.01/",
        "https://017700000001/", "https://[::1", "https://[fe80::1%25eth0]/", "https://-a.example/", "https://a..example/",
        "https://lrm.example\\@127.0.0.1/", "https://" + "a" * 64 + ".example/", "https://lrm.example/" + "a" * 2_000,
        "HTTPS:lrm.example", "https://a.example:80:90/", "https://[v1.x]/",
    ],
)  # fmt: skip
def test_no_url_of_an_endpoint(url: str) -> None:
    assert url_problem(url) != ""


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://lrm.example/", ""),
        ("https://9.9.9.9/", ""),
        ("http://lrm.example/", "must be https"),
        ("https://127.0.0.1/", "127.0.0.1 is no address of the public Internet"),
        ("https://[::ffff:10.0.0.1]/", "::ffff:10.0.0.1 is no address of the public Internet"),
        ("https://LOCALHOST:8443/", "localhost is this host itself"),
        ("https://a.localhost/", "a.localhost is this host itself"),
    ],
)
def test_a_url_that_leads_nowhere_public_is_told_at_once(url: str, problem: str) -> None:
    assert url_problem(url) == "" and private_problem(url) == problem
