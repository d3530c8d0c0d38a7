"""What protocols share: the interface of each (``base``), and how what comes is read. Pure.

Owns forms, JSON and tools as any protocol has them. Does not own what a member means in one.
"""
