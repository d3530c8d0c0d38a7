"""The names of the package: each is there, and none is imported before it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import backend_client

pytestmark = pytest.mark.fast


def test_every_name_is_there() -> None:
    for name in backend_client.__all__:
        assert getattr(backend_client, name) is not None
        assert name in dir(backend_client)


def test_another_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Client'"):
        _ = backend_client.Client  # type: ignore[attr-defined]  # what is tested


def test_a_type_brings_no_client_with_it() -> None:
    program = "import backend_client.types.problems, sys; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
