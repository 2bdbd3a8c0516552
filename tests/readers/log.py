"""Verifies an audit log by docs/log.md and docs/audit-event.md alone, with Python's standard library.

    python3 log.py DIR JWKS_FILE            all of the log: checkpoint, tiles, entries, chains of hashes
    python3 log.py DIR JWKS_FILE SIZE ROOT  and that it begins with the SIZE entries of that root, in base64

Prints a line for what is wrong, and exits with 1; or prints size, root and number of streams.
"""

import base64
import hashlib
import json
import pathlib
import sys

WIDTH = 256


class Damaged(Exception):
    pass


def demand(is_so, said):
    if not is_so:
        raise Damaged(said)


def sha256(data):
    return hashlib.sha256(data).digest()


# --- Ed25519 (RFC 8032 section 5.1), verification only ---

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(left, right):
    a = (left[1] - left[0]) * (right[1] - right[0]) % P
    b = (left[1] + left[0]) * (right[1] + right[0]) % P
    c = 2 * left[3] * right[3] * D % P
    d = 2 * left[2] * right[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number, point):
    result = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = add(result, point)
        point = add(point, point)
        number >>= 1
    return result


def is_same(left, right):
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


def point_of(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def verifies(key, message, signature):
    if len(signature) != 64:
        return False
    public, commitment = point_of(key), point_of(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if public is None or commitment is None or scalar >= ORDER:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    return is_same(times(scalar, BASE), add(commitment, times(challenge, public)))


# --- The checkpoint ---


def log_keys(jwks):
    """Of the published keys those that sign checkpoints."""
    for key in jwks["keys"]:
        if (key["kty"], key.get("crv"), key["purpose"]) == ("OKP", "Ed25519", "log"):
            yield base64.urlsafe_b64decode(key["x"] + "=")


def checkpoint(note, keys):
    """Origin, size and root, if one of the keys has signed them."""
    text, separator, lines = note.rpartition("\n\n")
    demand(separator and lines.endswith("\n"), "the checkpoint is no signed note")
    text += "\n"
    origin, size, root = text.removesuffix("\n").split("\n")
    is_signed = False
    for line in lines.removesuffix("\n").split("\n"):
        dash, name, encoded = line.split(" ")
        signature = base64.b64decode(encoded, validate=True)
        demand(dash == "\u2014", "the checkpoint is no signed note")
        for key in keys:
            key_id = sha256(name.encode() + b"\n\x01" + key)[:4]
            if name == origin and signature[:4] == key_id:
                demand(verifies(key, text.encode(), signature[4:]), "the checkpoint's signature is not of its key")
                is_signed = True
    demand(is_signed, "no key of the log has signed the checkpoint")
    return origin, int(size), base64.b64decode(root, validate=True)


# --- The tree (RFC 6962 section 2.1) ---


def leaf_hash(entry):
    return sha256(b"\x00" + entry)


def root_of(hashes):
    if not hashes:
        return sha256(b"")
    if len(hashes) == 1:
        return hashes[0]
    left = 1 << (len(hashes) - 1).bit_length() - 1
    return sha256(b"\x01" + root_of(hashes[:left]) + root_of(hashes[left:]))


def path_of(kind, index, width):
    digits = f"{index:03}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    parts = [f"x{part}" for part in parts[:-1]] + parts[-1:]
    return "/".join(["tile", kind, *parts]) + ("" if width == WIDTH else f".p/{width}")


def tile_of(directory, kind, index, width):
    """A tile; of one that has become full since, its beginning."""
    for name, is_full in ((path_of(kind, index, width), False), (path_of(kind, index, WIDTH), True)):
        path = directory / name
        if path.is_file():
            return path.read_bytes(), is_full
    raise Damaged(f"{path_of(kind, index, width)} is missing")


def hashes_of(directory, level, index, width):
    data, is_full = tile_of(directory, str(level), index, width)
    demand(len(data) == 32 * (WIDTH if is_full else width), f"{path_of(str(level), index, width)} is not whole")
    return [data[at : at + 32] for at in range(0, 32 * width, 32)]


def entries_of(directory, index, width):
    data, is_full = tile_of(directory, "entries", index, width)
    entries = []
    while data:
        length = int.from_bytes(data[:2], "big")
        demand(len(data) >= 2 + length, f"{path_of('entries', index, width)} is cut")
        entries.append(data[2 : 2 + length])
        data = data[2 + length :]
    demand(len(entries) == (WIDTH if is_full else width), f"{path_of('entries', index, width)} is not whole")
    return entries[:width]


# --- Events ---


def check_event(index, entry, origin, heads):
    event = json.loads(entry)
    canonical = json.dumps(event, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    demand(canonical == entry, f"entry {index} is not canonical")
    named = event.pop("hash")
    without = json.dumps(event, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    demand(hashlib.sha256(without).hexdigest() == named, f"entry {index} was edited")
    demand(event["origin"] == origin, f"entry {index} is of another deployment")
    sequence, head, time = heads.get(event["stream"], (0, "0" * 64, ""))
    demand((event["sequence"], event["prev_hash"]) == (sequence + 1, head), f"entry {index} does not follow in its stream")
    demand(event["timestamp"] >= time, f"entry {index}: time goes back")
    heads[event["stream"]] = event["sequence"], named, event["timestamp"]


def check(directory, jwks, seen=None):
    note = (directory / "checkpoint").read_text(encoding="utf-8")
    origin, size, root = checkpoint(note, list(log_keys(jwks)))
    leaves, heads = [], {}
    for index in range(-(-size // WIDTH)):
        width = min(WIDTH, size - index * WIDTH)
        entries = entries_of(directory, index, width)
        for place, entry in enumerate(entries, index * WIDTH):
            check_event(place, entry, origin, heads)
        hashes = [leaf_hash(entry) for entry in entries]
        demand(hashes == hashes_of(directory, 0, index, width), f"{path_of('0', index, width)} is another")
        leaves += hashes
    demand(root_of(leaves) == root, "the entries do not lead to the root of the checkpoint")
    if seen is not None:
        demand(seen[0] <= size and root_of(leaves[: seen[0]]) == seen[1], "the log is not the one that was seen")
    # Of each level above, the roots of the full tiles below.
    level, hashes = 0, leaves
    while len(hashes) >= WIDTH:
        level, hashes = level + 1, [root_of(hashes[at : at + WIDTH]) for at in range(0, len(hashes) // WIDTH * WIDTH, WIDTH)]
        for index in range(-(-len(hashes) // WIDTH)):
            tile = hashes[index * WIDTH : (index + 1) * WIDTH]
            there = hashes_of(directory, level, index, len(tile))
            demand(there == tile, f"{path_of(str(level), index, len(tile))} is another")
    return {"size": size, "root": base64.b64encode(root).decode(), "streams": len(heads)}


def main():
    directory, jwks, *seen = sys.argv[1:]
    with open(jwks, encoding="utf-8") as file:
        keys = json.load(file)
    seen = (int(seen[0]), base64.b64decode(seen[1])) if seen else None
    try:
        print(json.dumps(check(pathlib.Path(directory), keys, seen)))
    except (Damaged, ValueError, KeyError) as error:
        print(f"{type(error).__name__}: {error}")
        sys.exit(1)


main()
