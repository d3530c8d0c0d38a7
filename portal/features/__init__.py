"""One folder for each page: its components, its state, its rows and forms.

The same names mean the same in each: ``page`` is what is seen, ``state`` its handlers, ``rows``
and ``forms`` are pure. A feature knows no other feature. What two of them need moves down to
``shared``, ``session`` or ``kit``.
"""
