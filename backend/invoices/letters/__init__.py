"""What customers are sent by e-mail: who is written to, and what it says."""
