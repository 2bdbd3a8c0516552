"""The header of a call that the dashboard makes for a visitor, made from docs/dashboard.md alone.

Reads a JSON object with secret, address, time, method, path and token; writes the header."""

import hashlib
import hmac
import json
import sys


def header(secret, address, time, method, path, token):
    key = hashlib.sha256(secret.encode()).digest()
    token = hashlib.sha256(token.encode()).hexdigest()
    text = "\n".join([address, str(time), method, path, token])
    mac = hmac.new(key, b"countersign.visitor.v1\0" + text.encode(), hashlib.sha256).hexdigest()
    return f"v1;{address};{time};{mac}"


if __name__ == "__main__":
    print(header(**json.load(sys.stdin)))
