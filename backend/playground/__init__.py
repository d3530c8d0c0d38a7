"""What people keep of the playground: their conversations, and prompts in versions.

Owns both tables, who may read what in them, and how long conversations are kept. Does not own what
is in them, which is JSON of the portal's, nor the calls themselves: those are the gateway's, which
keeps no word of what was said. ``updated_at`` is when a conversation was last written; it is
removed so many days after.
"""
