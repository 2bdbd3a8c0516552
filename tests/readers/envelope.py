"""Verifies the envelope of evidence with securesystemslib (https://github.com/secure-systems-lab/securesystemslib).

    python3 envelope.py FILE JWKS

Prints the statement. Ends with code 1 if the envelope is not signed, or is believed although a byte was changed, or if
the statement is about another document.
"""

import base64
import hashlib
import json
import sys

from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey


def key_of(listed):
    public = base64.urlsafe_b64decode(listed["x"] + "=").hex()
    return SSlibKey(listed["kid"], "ed25519", "ed25519", {"public": public})


def is_signed(envelope, keys):
    try:
        return bool(envelope.verify(keys, threshold=1))
    except VerificationError:
        return False


def main(file, jwks):
    with open(file, encoding="utf-8") as opened:
        document = json.load(opened)
    with open(jwks, encoding="utf-8") as opened:
        keys = [key_of(key) for key in json.load(opened)["keys"] if key["purpose"] == "evidence"]
    envelope = Envelope.from_dict(document.pop("dsse"))
    assert is_signed(envelope, keys), "not signed"
    statement = json.loads(envelope.payload)
    # Whole numbers, booleans, texts: sorted members without spaces are RFC 8785, if member names are ASCII.
    unsigned = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert statement["subject"][0]["digest"]["sha256"] == hashlib.sha256(unsigned.encode()).hexdigest()
    print(json.dumps(statement))
    envelope.payload = envelope.payload.replace(b"executed", b"Executed")
    assert not is_signed(envelope, keys), "a changed payload is believed"


main(*sys.argv[1:])
