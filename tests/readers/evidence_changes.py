"""Holds the verifier of evidence against evidence that is good, evidence that is not, and changed bytes of the good.

Reads one JSON object from standard input: `jwks` (text), `good` and `bad` (lists of evidence, as texts), `pending`
(which of the good have events that wait for the log, as booleans) and `step`: each byte at a multiple of it is changed,
of a short one every byte. Prints what the verifier says wrongly, a line each, and at the end how many changes were tried.
"""

import json
import sys

from evidence import verify

# Evidence is short if it has fewer bytes; every byte of the shortest is changed.
SHORT = 5_000


def changes(data, step):
    for place in range(0, len(data), 1 if len(data) < SHORT else step):
        for other in {data[place] ^ 1 << place % 7, data[place] ^ 32, ord("0"), ord("A")} - {data[place]}:
            yield place, data[:place] + bytes([other]) + data[place + 1 :]


def is_believed(data, jwks, require_inclusion=False):
    return next(verify(data, jwks, require_inclusion), None) is None


cases = json.load(sys.stdin)
jwks, tried = cases["jwks"], 0
for number, (good, is_pending) in enumerate(zip(cases["good"], cases["pending"])):
    data = good.encode()
    findings = list(verify(data, jwks))
    if findings:
        print(f"good {number} is refused: {findings}")
    if is_believed(data, jwks, require_inclusion=True) == is_pending:
        print(f"good {number} is taken for one that is, or is not, in the log")
    for place, changed in changes(data, cases["step"]):
        tried += 1
        if is_believed(changed, jwks):
            print(f"good {number} is believed although byte {place} was changed")
for number, bad in enumerate(cases["bad"]):
    if is_believed(bad.encode(), jwks):
        print(f"bad {number} is believed")
print(json.dumps({"tried": tried, "good": len(cases["good"]), "bad": len(cases["bad"])}))
