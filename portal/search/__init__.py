"""What the command palette finds beside pages: models, keys, invoices, customers, documentation.

Owns the one route that the palette asks, and how each thing is shown there. It asks the API as the
person who is signed in, so that nobody finds what they may not see. Has no index of its own.
"""
