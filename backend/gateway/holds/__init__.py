"""What a call holds while it runs: reserved before it is made, settled or released when it is over.

Owns the most that a call can use (``bounds``) and the one statement that holds it and settles it,
for calls of a tenant in groups. Does not own what may be held: limits (``limits``), quotas
(``quotas``), budgets (``budgets``), credit (``wallets``). A hold lapses by itself at its instant,
should nobody settle it.
"""
