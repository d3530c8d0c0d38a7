"""The parts of the page. All are of one state, ``Playground``."""
