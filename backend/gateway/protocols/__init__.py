"""The protocols that callers speak, as pure modules: no input and output, no framework.

Each reads a caller's request, says what of it goes to a provider, reads what comes back, whole or
streamed, and words errors in its own shape. The engine over them (``gateway``, ``relay``) knows
none by name: what differs between protocols is here.
"""
