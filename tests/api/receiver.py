"""An endpoint over TLS that keeps what arrives, and a service that may call it."""

import http.server
import os
import pathlib
import queue
import re
import shutil
import ssl
import subprocess
import threading

import httpx

PATIENCE = 60


def certificates(directory, name):
    """`root.pem`, and `leaf.pem` with `leaf.key` of it for a name such as `IP:127.0.0.1`."""

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "root.key", "-out", "root.pem", "-days", "2", "-subj", "/CN=root")
    openssl("req", *key, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=endpoint")
    (directory / "leaf.ext").write_text(f"subjectAltName={name}\nbasicConstraints=CA:FALSE\n")
    openssl(
        *["x509", "-req", "-in", "leaf.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial"],
        *["-days", "2", "-extfile", "leaf.ext", "-out", "leaf.pem"],
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "leaf.pem", directory / "leaf.key")
    return context


class Receiver:
    """Path, headers and body of each message are put into `arrived`."""

    def __init__(self, directory):
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        arrived = self.arrived = queue.Queue()

        class Endpoint(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                arrived.put((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                # A service that is killed breaks its connections off.
                pass

        endpoint = Server(("127.0.0.1", 0), Endpoint)
        endpoint.socket = certificates(directory, "IP:127.0.0.1").wrap_socket(endpoint.socket, server_side=True)
        threading.Thread(target=endpoint.serve_forever, daemon=True).start()
        self.port = endpoint.server_address[1]
        self.notifications = (
            f'[webhooks]\nallow_ports = [{self.port}]\nallow_networks = ["127.0.0.0/8"]\n'
            f'ca_bundle = "{directory / "root.pem"}"\n'
        )


class Service:
    """`countersign serve` with the policy of the repository and another `notifications.toml`."""

    def __init__(self, program, directory, receiver=None, notifications=None, variables=None):
        directory = pathlib.Path(directory)
        self.program, self.data, self.policy = program, directory / "data", directory / "policy"
        self.variables = {**os.environ, **(variables or {})}
        self.policy.mkdir()
        for name in ["access.cedar", "operations.toml", "people.toml"]:
            shutil.copy(pathlib.Path("policy") / name, self.policy)
        (self.policy / "notifications.toml").write_text(notifications or receiver.notifications)
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [
                *[self.program, "serve", "--listen", "127.0.0.1:0", "--data-dir", self.data],
                *["--policy-dir", self.policy, "--log", "error"],
            ],
            stdout=subprocess.PIPE,
            text=True,
            env=self.variables,
        )
        for line in self.process.stdout:
            listens = re.search(r"listening on (http\S*)", line)
            if listens:
                self.url = listens.group(1)
                # The events of the log: read, so that the service is not held up.
                threading.Thread(target=self.process.stdout.read, daemon=True).start()
                return
        raise SystemExit("the service does not listen")

    def caller(self, name, group):
        token = [self.program, "token", f"{name}@example.com", "--groups", group, "--data-dir", self.data]
        token = subprocess.run(token, check=True, capture_output=True, text=True).stdout.strip()
        return httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {token}"}, timeout=PATIENCE)

    def client(self, caller):
        """The same caller at the address that the service has now."""
        caller.base_url = self.url
        return caller

    def stop(self):
        self.process.terminate()
        self.process.wait()
