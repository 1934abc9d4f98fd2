"""Brings a checkpoint from the model hub into the client's cache, or says in one sentence why it cannot."""
