"""Usage events and their corrections as rows, and how lists name them.

An event's time is when it was used, shown to the second in the tenant's time zone.
"""
