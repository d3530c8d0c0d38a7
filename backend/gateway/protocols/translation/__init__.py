"""Translation: a call in one protocol to an upstream that speaks another. Pure.

Owns which protocol can be spoken over which, and what of a request and an answer has a counterpart.
Does not own the protocols themselves (beside), nor when a call is translated (``call``).
"""
