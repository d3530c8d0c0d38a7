"""What a person kept: conversations, and prompts in versions."""
