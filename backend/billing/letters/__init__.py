"""What customers are told by e-mail: who is written to, and what it says."""
