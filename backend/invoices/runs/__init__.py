"""The invoice run: every tenant with a period that is over is invoiced, once.

Owns the close of a period, and its many at once by any number of workers and processes. Does not
own when a run begins (``worker``), nor what a draft says (``drafts``). A period is over when the
tenant's clock is past its end.
"""
