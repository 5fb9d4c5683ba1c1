"""The door: every byte from outside is read here, strictly, by asking for types. `Malformed` is all that leaves."""
