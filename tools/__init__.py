"""Programs for those who change osform; none of it is installed."""
