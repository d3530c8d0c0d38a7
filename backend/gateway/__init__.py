"""The OpenAI-compatible gateway: admission, holds, upstreams, accounting."""
