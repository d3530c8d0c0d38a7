"""Builds the pages and serves them: the bundler, the process, its headers and its HTTP routes.

Owns what happens outside Reflex's events: the build and its stamp, the security headers, the
sign-in and sign-out routes. Does not own the portal's settings, which every room reads
(``portal.settings``), nor what a page shows.
"""
