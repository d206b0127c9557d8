"""What each kind of resource means, as values: bodies in, requests out. No I/O."""
