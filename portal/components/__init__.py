"""What pages share: the shell, cards, charts, states of loading and failure."""
