"""What is read from and written to disk: stacks, templates, model files, data files. No HTTP."""
