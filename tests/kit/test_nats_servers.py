"""Addresses of NATS as an operator writes them down."""

from __future__ import annotations

import pytest

from backend.kit.nats_servers import nats_servers

pytestmark = pytest.mark.fast


def test_a_user_by_itself_is_a_token() -> None:
    servers = nats_servers("nats://s3cret@127.0.0.1:4222")
    assert servers.addresses == ("nats://127.0.0.1:4222",)
    assert servers.options == {"token": "s3cret"}
    assert "s3cret" not in repr(servers)


def test_credentials_hold_for_every_server_of_a_cluster() -> None:
    servers = nats_servers("nats://ann:a%40b@one:4222, tls://two:4223,three")
    assert servers.addresses == ("nats://one:4222", "tls://two:4223", "nats://three")
    assert servers.options == {"user": "ann", "password": "a@b"}


@pytest.mark.parametrize(
    "urls",
    ["http://one", "", "nats://", "nats://a@one,nats://b@two", "nats://a:b@one,nats://a:c@two"],
)
def test_what_is_no_address_is_refused_without_its_secret(urls: str) -> None:
    with pytest.raises(ValueError, match=r"^give "):
        nats_servers(urls)
