"""Ed25519 keys for moto's KMS, which has none: ECC_NIST_EDWARDS25519 keys that sign by ED25519_SHA_512.

Python imports this module at its start, because its folder is in PYTHONPATH. What is different from KMS: nothing is known to
be, of what the tests call; a message of another type than RAW is signed here, and is not there.
"""

import sys

SPEC = "ECC_NIST_EDWARDS25519"
ALGORITHM = "ED25519_SHA_512"


def extend():
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519
    from moto.kms import models, utils

    class Ed25519Key(utils.AbstractPrivateKey):
        def __init__(self):
            self.private_key = ed25519.Ed25519PrivateKey.generate()

        def sign(self, message, signing_algorithm):
            utils.validate_signing_algorithm(signing_algorithm, [ALGORITHM])
            return self.private_key.sign(message)

        def verify(self, message, signature, signing_algorithm):
            utils.validate_signing_algorithm(signing_algorithm, [ALGORITHM])
            try:
                self.private_key.public_key().verify(signature, message)
            except Exception:
                return False
            return True

        def public_key(self):
            encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            return self.private_key.public_key().public_bytes(encoding, form)

    generate = models.generate_private_key
    models.generate_private_key = lambda spec: Ed25519Key() if spec == SPEC else generate(spec)
    specs = utils.KeySpec.key_specs()
    utils.KeySpec.key_specs = classmethod(lambda _: [*specs, SPEC])
    algorithms = utils.SigningAlgorithm.signing_algorithms()
    utils.SigningAlgorithm.signing_algorithms = classmethod(lambda _: [*algorithms, ALGORITHM])
    of_key = models.Key.signing_algorithms.fget
    models.Key.signing_algorithms = property(lambda key: [ALGORITHM] if key.key_spec == SPEC else of_key(key))


# Other programs of the same environment start as fast as before.
if sys.argv and sys.argv[0].endswith("moto_server"):
    extend()
