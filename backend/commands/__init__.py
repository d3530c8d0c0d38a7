"""The commands of the ``farebox`` program, one file each; ``backend.cli`` gathers them.

Owns arguments, options and what is printed. Commands call a room on the database, or the API as
an operator would; they hold no rule.
"""
