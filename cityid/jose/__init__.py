"""JOSE: JWS (RFC 7515) and SD-JWT (RFC 9901), the mechanisms. No credential format, no trust, no network."""
