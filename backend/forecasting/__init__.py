"""Where usage is heading, and what the bill will be when it gets there."""
