"""What is told to people and systems: recorded with what it tells of, then delivered."""
