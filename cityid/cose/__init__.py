"""COSE (RFC 9052): one signature. Keys are read by `cityid.keys.cose_key`."""
