"""Archives of published data sets, treated as untrusted input."""
