"""An HTTP service that takes POSTs of bounded length, of one sender, and nothing else.

It listens where LISTEN says (127.0.0.1:8080): without TLS on loopback alone, for a proxy that has TLS; anywhere with
TLS_CERTIFICATE and TLS_KEY, two files in PEM.
"""

import hashlib
import hmac
import http.server
import ipaddress
import json
import os
import ssl
import threading

from approvals import log

# A sender that is slower has to send it again.
SECONDS = 10


def signed(secret, algorithm, body, signature):
    """Whether the signature, in hexadecimal digits, is that of the body. The time it takes says nothing of either."""
    expected = hmac.new(secret.encode(), body, getattr(hashlib, algorithm)).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode())


def later(function, *arguments):
    """Runs it beside the answer, which its sender does not wait long for."""

    def run():
        try:
            function(*arguments)
        except Exception as error:
            # Nothing is allowed by this. Its type alone: a message may hold what was sent.
            log(f"given up: {type(error).__name__}")

    threading.Thread(target=run, daemon=True).start()


def serve(receive, body_bytes):
    """Answers each POST with `receive(headers, body)`: a status and a document, or none."""

    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = SECONDS

        def do_POST(self):
            length = self.headers.get("Content-Length", "")
            if not length.isascii() or not length.isdigit():
                return self.answer(411)
            if int(length) > body_bytes:
                return self.answer(413)
            try:
                body = self.rfile.read(int(length))
                status, document = receive(self.headers, body)
            except Exception as error:
                log(f"refused: {type(error).__name__}")
                status, document = 400, None
            self.answer(status, document)

        def answer(self, status, document=None):
            content = b"" if document is None else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = True

        def log_message(self, *arguments):
            """What is worth a line is logged by `receive`."""

    host, port = os.environ.get("LISTEN", "127.0.0.1:8080").rsplit(":", 1)
    server = http.server.ThreadingHTTPServer((host.strip("[]"), int(port)), Handler)
    certificate = os.environ.get("TLS_CERTIFICATE")
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, os.environ["TLS_KEY"])
        # The handshake is the thread's of the connection: a caller who begins none keeps no other waiting.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    elif not ipaddress.ip_address(server.server_address[0]).is_loopback:
        raise SystemExit("without TLS_CERTIFICATE and TLS_KEY it listens on loopback alone")
    print(f"listening on {'https' if certificate else 'http'}://{host}:{server.server_address[1]}", flush=True)
    server.serve_forever()
