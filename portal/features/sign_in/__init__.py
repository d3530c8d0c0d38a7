"""Sign-in: the one page for people who are not signed in.

Owns the choice between the ways to sign in. The routes that set the cookie are
``server.sign_in_routes``.
"""
