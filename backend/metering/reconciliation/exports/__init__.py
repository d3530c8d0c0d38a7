"""Exports of providers, read: each format a file, all to the same records.

Owns formats and their errors, in bounded memory. Does not own what the records are compared with
(``metered``, ``matching``). Days and times are as the file states them, in UTC where it says none.
"""
