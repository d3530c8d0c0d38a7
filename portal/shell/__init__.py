"""The frame around every page: navigation, tenant, person, notices.

The one part of the look that knows who is signed in, since navigation and the tenant switcher
differ by person. Does not own any page's content.
"""
