"""The only place for sockets, files, databases, tokens and event loops."""
