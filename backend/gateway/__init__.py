"""The OpenAI-compatible metered proxy: admission, upstreams, accounting."""
