"""Who may do what at the centre: users, how they prove who they are, their roles, and the audit."""
