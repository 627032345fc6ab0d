"""Code that runs in sandboxes; it imports no other part of rmeval, and nothing that makes Python start slowly."""
