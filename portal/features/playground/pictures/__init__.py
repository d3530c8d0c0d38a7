"""Pictures of questions: what they may be, where they are meanwhile, and their routes."""
