"""People: members of a tenant and their roles, invitations, and who operates this installation.

Owns which person has which role where. Does not own what a role permits (``principal``), nor how
a person proves who they are (``sessions``). An invitation lapses at an instant of UTC.
"""
