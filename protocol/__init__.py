"""The venue's rules: arithmetic on arrays; no framework, file, clock or chance."""
