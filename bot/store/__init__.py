"""Where it is kept: one set of tables, two databases, and a double that keeps it in memory."""
