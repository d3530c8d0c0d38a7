"""Corrections of what was issued: credit notes, their reversal, and voiding.

Owns how an issued invoice asks for less, and how what it billed is billed again. Does not own
money that moved (``payments``). A correction has an instant of its own, and changes no document.
"""
