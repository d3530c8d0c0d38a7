"""Who is behind an event, and what every page's state has in common.

Owns the guard on every handler, the clients of signed-in people, and the states that pages
inherit. Does not own sessions themselves: the API keeps those, and the browser has only a cookie.
Times are the tenant's, by ``Caller.me.tenant.time_zone``.
"""
