"""A mail server on loopback that keeps what it is given: STARTTLS, TLS from the start, AUTH PLAIN, refusals."""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import socketserver
import ssl
import threading
from email import message_from_bytes, policy
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class SmtpSink:
    """``refuse`` is said to the next RCPT, then forgotten; ``starttls`` False: the server does not know it."""

    def __init__(self, folder: Path, *, tls: bool = False, starttls: bool = True) -> None:
        certificate = _certificate(folder)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.trust = ssl.create_default_context(cafile=str(certificate))
        self.starttls = starttls
        self.refuse = ""
        self.logins: list[tuple[str, str]] = []
        self.mails = []
        self.secured: list[bool] = []
        sink = self

        class Handler(socketserver.StreamRequestHandler):
            def setup(self):
                if tls:
                    self.request = sink.context.wrap_socket(self.request, server_side=True)
                super().setup()

            def handle(self):
                try:
                    sink.serve(self, secured=tls)
                except OSError:
                    pass
                finally:
                    self.rfile.close()
                    self.request.close()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def serve(self, handler, *, secured: bool) -> None:
        def say(line):
            handler.wfile.write(line.encode() + b"\r\n")
            handler.wfile.flush()

        say("220 sink.acme.example")
        while line := handler.rfile.readline():
            word, _, rest = line.decode().strip().partition(" ")
            word = word.upper()
            if word == "EHLO":
                offers = ["sink.acme.example", "AUTH PLAIN"] + (["STARTTLS"] if self.starttls and not secured else [])
                for place, offer in enumerate(offers):
                    say(f"250{' ' if place == len(offers) - 1 else '-'}{offer}")
            elif word == "STARTTLS" and self.starttls:
                say("220 go on")
                handler.request = self.context.wrap_socket(handler.request, server_side=True)
                handler.rfile, handler.wfile = handler.request.makefile("rb"), handler.request.makefile("wb")
                secured = True
            elif word == "AUTH":
                _, user, password = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")
                self.logins.append((user, password))
                say("235 welcome" if password == "right" else "535 no")
            elif word == "RCPT" and self.refuse:
                said, self.refuse = self.refuse, ""
                say(said)
            elif word == "DATA":
                say("354 go on")
                data = b""
                while (part := handler.rfile.readline()) != b".\r\n":
                    data += part
                self.mails.append(message_from_bytes(data, policy=policy.default))
                self.secured.append(secured)
                say("250 kept")
            elif word == "QUIT":
                say("221 bye")
                return
            else:
                say("250 ok" if word in ("MAIL", "RCPT", "RSET", "NOOP") else "502 what?")


def _certificate(folder: Path) -> Path:
    """For 127.0.0.1, signed by itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "sink.pem"
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file
