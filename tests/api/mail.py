"""Mails to approvers and requesters, taken by `aiosmtpd` of PyPI over STARTTLS and read by Python's own parser.

Usage: mail.py COUNTERSIGN DIRECTORY.
"""

import email
import email.policy
import logging
import pathlib
import queue
import re
import socket
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from receiver import PATIENCE, Service, certificates

# What aiosmtpd says of its own attributes.
logging.getLogger("mail.log").setLevel(logging.ERROR)
program, directory = sys.argv[1], pathlib.Path(sys.argv[2])
directory.mkdir(parents=True, exist_ok=True)
arrived = queue.Queue()


class Mailbox:
    refused = 0

    async def handle_DATA(self, server, session, envelope):
        # The first attempt is put off: the same mail comes again.
        if Mailbox.refused == 0:
            Mailbox.refused = 1
            return "451 4.7.1 greylisted"
        assert session.ssl, "in the clear"
        arrived.put((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"countersign", b"of the mail"))


context = certificates(directory, "DNS:localhost")
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
mailbox = Controller(
    Mailbox(), "127.0.0.1", port, tls_context=context, require_starttls=True, auth_required=True, authenticator=authenticate
)
mailbox.start()

notifications = f"""
[destinations.mail]
kind = "email"
from = "countersign@example.com"
transport = "smtp"
host = "localhost"
port = {port}
username = "countersign"
password = "env:SMTP_PASSWORD"
[groups.approver]
members = ["bob@example.com", "ann@example.com"]
[routes.approvals]
to = ["approvers"]
via = ["mail"]
[defaults]
channels = ["mail"]
[webhooks]
ca_bundle = "{directory / "root.pem"}"
"""
service = Service(program, directory, notifications=notifications, variables={"SMTP_PASSWORD": "of the mail"})
try:

    def answer(response, status):
        assert response.status_code == status, response.text
        return response.json()

    def next_mail():
        sender, recipients, content = arrived.get(timeout=PATIENCE)
        assert (sender, len(recipients)) == ("countersign@example.com", 1), (sender, recipients)
        recipient = recipients[0]
        mail = email.message_from_bytes(content, policy=email.policy.default)
        assert not mail.defects and mail["to"].addresses[0].addr_spec == recipient, content
        assert (mail["auto-submitted"], mail["from"].addresses[0].addr_spec) == ("auto-generated", sender), content
        assert mail["message-id"] and mail["date"] and not mail["cc"] and not mail["bcc"], content
        text = mail.get_body(("plain",)).get_content()
        html = mail.get_body(("html",))
        # No picture that tells who has opened it, and nothing that would run.
        if html:
            assert not re.search(r"<(img|script|iframe|form)|https?://[^\"]*(token|auth)=", html.get_content()), content
        assert "db.r6g.xlarge" not in content.decode(), "parameters are in no message"
        return recipient, mail, text

    ann, bob = service.caller("ann", "developer"), service.caller("bob", "approver")
    draft = {
        "operation_type": "create_snapshot",
        "instance_id": "production-db-01",
        "parameters": {"target_instance_class": "db.r6g.xlarge"},
        "environment": "production",
        "justification": "Before the upgrade \u2013 \u00fc <b>bold</b>\r\nBcc: mallory@example.com",
    }
    made = answer(ann.post("/v1/approvals", json=draft), 201)
    # Ann is in the group of approvers, and may not approve what she asks for: Bob alone is asked.
    recipient, asked, text = next_mail()
    assert recipient == "bob@example.com" and "create_snapshot" in text and "ann@example.com" in text, text
    answer(bob.post(f"/v1/approvals/{made['request_id']}/approve", json={}), 200)
    # Bob hears that an approval is recorded in his name, and Ann what became of her request.
    mails = {}
    for _ in range(2):
        recipient, mail, text = next_mail()
        assert "approved" in text.lower(), text
        mails[recipient] = mail
    assert sorted(mails) == ["ann@example.com", "bob@example.com"], mails
    # One thread for each request in a mailbox.
    closed = mails["bob@example.com"]
    assert closed["message-id"] != asked["message-id"]
    assert closed["references"] and closed["references"] == asked["references"], (closed["references"], asked["references"])
    assert Mailbox.refused == 1
finally:
    service.stop()
    mailbox.stop()
print("mails: taken by aiosmtpd after a refusal, read by Python")
