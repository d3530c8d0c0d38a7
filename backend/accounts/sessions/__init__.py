"""Sessions of the people who use the portal: begun by an identity token, listed and ended.

Owns the check of a token, what a sign-in makes of it, and what a refused sign-in leaves in the
audit. Does not own whose member a person is (``members``). A session ends at an instant of UTC,
or after a time unused.
"""
