"""Components, formatting and forms that know neither a feature nor who is signed in.

Owns how things look and read: tables, dialogs, fields, charts' style, numbers, money and times in
words. Components take variables and event handlers as arguments and import no state. Times are
UTC instants that come with the time zone to show them in.
"""
