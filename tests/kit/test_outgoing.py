"""Addresses that customers name lead to what is public, and to nothing of the seller's."""

from __future__ import annotations

import socket

import pytest

from backend.kit.outgoing import AddressRefused, checked_addresses, is_allowed, outgoing_url

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "192.168.1.1"),
        *("169.254.169.254", "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1"),
        *("0.1.2.3", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "fec0::1", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1"),
        *("64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:db8::1", "100::1"),
    ],
)
def test_what_is_inside_is_refused(address: str) -> None:
    assert not is_allowed(address, [])
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(ValueError, match="must be public"):
        outgoing_url(f"https://{host}/hooks", [])


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f::1", "::ffff:8.8.8.8"])
def test_what_is_public_is_taken(address: str) -> None:
    assert is_allowed(address, [])


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "017700000001", "localhost"])
def test_other_spellings_of_the_machine_are_refused(host: str) -> None:
    with pytest.raises(ValueError, match="must be public"):
        outgoing_url(f"https://{host}/hooks", [])


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.com/", "must begin with https"),
        ("ftp://example.com/", "must begin with https"),
        ("file:///etc/passwd", "must begin with https"),
        ("example.com", "must begin with https"),
        ("https://", "no address"),
        ("https://example.com:0/", "no address"),
        ("https://example.com:99999/", "no address"),
        ("https://exa mple.com/", "no address"),
        ("https://example.com\\@inside/", "no address"),
        ("https://exämple.com/", "no address"),
        ("https://user:word@example.com/", "no user or password"),
        ("https://example.com/#part", "after #"),
        ("https://[::1", "no address"),
    ],
)
def test_what_is_no_address_is_refused_with_a_reason(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        outgoing_url(url, [])


def test_named_networks_can_be_reached_and_no_others() -> None:
    networks = ["10.0.0.0/8", "127.0.0.0/8"]
    assert outgoing_url("http://127.0.0.1:8000/hooks", networks).port == 8000
    assert outgoing_url("https://10.1.2.3/", networks).port == 443
    with pytest.raises(ValueError, match="must be public"):
        outgoing_url("https://192.168.1.1/", networks)


async def test_a_name_is_looked_up_once_and_by_all_that_it_leads_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Stands in for DNS, which a test has none of that it may fill."""
    answers: dict[str, list[str]] = {
        "public.example.com": ["93.184.215.14", "2606:2800:21f::1"],
        "inside.example.com": ["10.0.0.1"],
        "both.example.com": ["93.184.215.14", "127.0.0.1"],
        "metadata.example.com": ["169.254.169.254"],
    }
    asked: list[str] = []

    def look_up(host: str, port: int, *_: object, **__: object) -> list[object]:
        asked.append(host)
        if host not in answers:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [(0, 0, 0, "", (address, port)) for address in answers[host]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)

    async def addresses(url: str, *networks: str) -> list[str]:
        return await checked_addresses(outgoing_url(url, networks), networks)

    assert await addresses("https://public.example.com/") == answers["public.example.com"]
    assert asked == ["public.example.com"]
    for name in ("inside", "both", "metadata"):
        with pytest.raises(AddressRefused, match="not public"):
            await addresses(f"https://{name}.example.com/")
    with pytest.raises(AddressRefused, match="looked up"):
        await addresses("https://nowhere.example.com/")
    assert await addresses("https://inside.example.com/", "10.0.0.0/8") == ["10.0.0.1"]
    assert await addresses("http://inside.example.com/", "10.0.0.0/8") == ["10.0.0.1"]
    with pytest.raises(AddressRefused, match="https"):
        await addresses("http://public.example.com/", "10.0.0.0/8")
