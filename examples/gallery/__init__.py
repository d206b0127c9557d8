"""Pictures that a search found: in the terminal where it can show them, and as a page of HTML."""
