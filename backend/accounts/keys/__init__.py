"""API keys: tenants' own and the operator's, their secrets' rotation, and who may use them where.

Owns what a key is and permits, and what a scanner says of a leaked secret. Does not own how a
secret is made and hashed (``secrets``), nor how a call's key becomes a caller (``authenticator``).
A key that is rotated keeps its earlier secret until an instant of UTC.
"""
