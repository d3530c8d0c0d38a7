"""The gateway for OpenAI's and Anthropic's protocols: admission, holds, upstreams, accounting.

Owns a call from its request to its event: whether it is let through, what it reserves, which
upstream answers, what its usage was, also when it is aborted. Does not own quotas and credit
(``quotas``, ``wallets``), whose holds it makes and settles, nor counting (``metering``). The time
of a call's event is when the call began.

``gateway`` takes a call through the rooms: ``protocols`` read it, ``limits`` and ``holds`` reserve
what it may use, ``attempts`` send it to ``upstreams`` over ``connections``, ``relay`` passes it on,
``recorder`` keeps its usage, and ``measures`` and ``request_log`` how it went.
"""
