"""Requests go where the administrator allowed, and nowhere else, and they end."""

from __future__ import annotations

import datetime as dt
import gzip
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from flagstone.kernel.errors import Denied, FlagstoneError, Invalid, Unavailable
from flagstone.toolkit.http import AllowedHost, Fetcher
from flagstone.toolkit.http.addresses import may_connect

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """A real server whose paths answer as the test wants; it remembers what it was asked."""

    def __init__(self, host: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> None:
        self.paths: dict[str, Answer] = {}
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.asked.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
                outer.paths[self.path.partition("?")[0]](self)

            do_POST = do_GET  # noqa: N815 - the name that the library looks for

            def log_message(self, *_: object) -> None: ...

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None: ...

        self.http = Quiet((host, 0), Handler)
        if context is not None:
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.port = self.http.server_address[1]
        self.url = f"http{'s' if context else ''}://{host}:{self.port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def on(self, path: str, body: bytes = b"", status: int = 200, **headers: str) -> None:
        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(status)
            for name, value in headers.items():
                request.send_header(name.replace("_", "-"), value)
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(body)

        self.paths[path] = answer


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


@pytest.fixture
def other() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


@contextmanager
def fetching(*servers: Server | str) -> Iterator[Fetcher]:
    rules = [AllowedHost.parse(item if isinstance(item, str) else item.url.partition("://")[2]) for item in servers]
    with Fetcher(rules, setting="catalog.allow_hosts") as fetcher:
        yield fetcher


def test_a_file_is_fetched_with_its_headers_and_etag(server: Server) -> None:
    server.on("/a.yaml", b"kind: A\n", ETag='"1"', Content_Type="text/yaml")
    with fetching(server) as fetcher:
        answer = fetcher.fetch(
            server.url + "/a.yaml?x=1#part", headers={"Authorization": "Bearer t"}, accept_kinds=("yaml",)
        )
        assert (answer.status, answer.body, answer.etag, answer.not_modified) == (200, b"kind: A\n", '"1"', False)
        assert answer.headers["content-type"] == "text/yaml"
    _, path, sent = server.asked[0]
    assert path == "/a.yaml?x=1"
    assert sent["host"] == f"127.0.0.1:{server.port}"
    assert sent["authorization"] == "Bearer t"
    assert "yaml" in sent["accept"]


def test_what_did_not_change_is_not_sent_again(server: Server) -> None:
    server.on("/a", status=304, ETag='"1"')
    with fetching(server) as fetcher:
        answer = fetcher.fetch(server.url + "/a", etag='"1"')
        assert answer.not_modified
        assert answer.body == b""
        assert not fetcher.fetch(server.url + "/a").not_modified
    assert server.asked[0][2]["if-none-match"] == '"1"'


def test_an_answer_with_an_error_status_is_still_an_answer(server: Server) -> None:
    server.on("/gone", b"<html>gone</html>", status=404, Content_Type="text/html")
    with fetching(server) as fetcher:
        assert fetcher.fetch(server.url + "/gone", accept_kinds=("yaml",)).status == 404


def test_something_can_be_posted(server: Server) -> None:
    def echo(request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["content-length"]))
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    server.paths["/hook"] = echo
    server.on("/moved", status=307, Location="/hook")
    with fetching(server) as fetcher:
        assert fetcher.fetch(server.url + "/hook", method="POST", content=b'{"a":1}').body == b'{"a":1}'
        assert fetcher.fetch(server.url + "/moved", method="POST", content=b"x").status == 307


def test_a_host_that_is_not_allowed_is_denied_before_anything_is_sent(server: Server, other: Server) -> None:
    with fetching(other) as fetcher, pytest.raises(Denied) as caught:
        fetcher.fetch(server.url + "/a")
    assert caught.value.code == "http.not_allowed"
    assert "catalog.allow_hosts" in str(caught.value)
    assert f"127.0.0.1:{server.port}" in str(caught.value)
    assert server.asked == []


def test_a_private_address_needs_its_host_to_be_named(server: Server) -> None:
    for rule in ("*", f"*:{server.port}", "*.localhost", f"*.0.1:{server.port}"):
        with fetching(rule) as fetcher, pytest.raises(Denied) as caught:
            fetcher.fetch(f"http://localhost:{server.port}/a")
        assert caught.value.code == "http.not_allowed"
    assert server.asked == []
    server.on("/a", b"x")
    with fetching(f"localhost:{server.port}") as fetcher:
        assert fetcher.fetch(f"http://localhost:{server.port}/a").body == b"x"
    assert server.asked[0][2]["host"] == f"localhost:{server.port}"


def test_redirects_are_followed_on_the_same_host_with_the_credentials(server: Server) -> None:
    server.on("/a", status=302, Location="/b")
    server.on("/b", status=301, Location=f"{server.url}/c")
    server.on("/c", b"end")
    with fetching(server) as fetcher:
        answer = fetcher.fetch(server.url + "/a", headers={"Authorization": "Bearer t"})
    assert (answer.body, answer.url) == (b"end", server.url + "/c")
    assert [sent["authorization"] for _, _, sent in server.asked] == ["Bearer t"] * 3


def test_credentials_do_not_go_to_another_host(server: Server, other: Server) -> None:
    server.on("/a", status=302, Location=other.url + "/b")
    other.on("/b", b"end")
    with fetching(server, other) as fetcher:
        secrets = {
            "Authorization": "Bearer t",
            "Cookie": "a=b",
            "PRIVATE-TOKEN": "t",
            "X-Api-Key": "k",
            "Accept": "text/x",
        }
        assert fetcher.fetch(server.url + "/a", headers=secrets, etag='"1"').body == b"end"
    sent = other.asked[0][2]
    assert not {"authorization", "cookie", "private-token", "x-api-key", "if-none-match"} & sent.keys()
    assert sent["accept"] == "text/x"
    assert sent["host"] == f"127.0.0.1:{other.port}"


@pytest.mark.parametrize(
    "location",
    [
        "http://localhost:{port}/b",
        "//localhost:{port}/b",
        "http://127.0.0.1:{port}/b",
        "http://[::1]:{port}/b",
        "http://[::ffff:127.0.0.1]:{port}/b",
        "http://169.254.169.254/latest/meta-data/",
        "http://user@127.0.0.1:{port}/b",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/b",
        "\\\\localhost:{port}\\b",
        "http://0x7f000001:{port}/b",
        "http://",
    ],
)
def test_a_redirect_elsewhere_is_refused(server: Server, other: Server, location: str) -> None:
    server.on("/a", status=302, Location=location.format(port=other.port))
    with fetching(server) as fetcher, pytest.raises((Denied, Invalid)):
        fetcher.fetch(server.url + "/a")
    assert other.asked == []


def test_a_redirect_loop_ends(server: Server) -> None:
    server.on("/a", status=302, Location="/b")
    server.on("/b", status=302, Location="/a")
    with fetching(server) as fetcher, pytest.raises(Invalid) as caught:
        fetcher.fetch(server.url + "/a")
    assert caught.value.code == "http.too_many_redirects"
    assert len(server.asked) == 6


def drip(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    for _ in range(100):
        request.wfile.write(b"x")
        request.wfile.flush()
        time.sleep(0.05)


def drip_headers(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(100):
        request.wfile.write(f"X-{number}: y\r\n".encode())
        request.wfile.flush()
        time.sleep(0.05)


def silent(request: BaseHTTPRequestHandler) -> None:
    time.sleep(3)


def endless(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    while True:
        request.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")


@pytest.mark.parametrize("answer", [drip, drip_headers, silent])
def test_a_server_that_is_slow_in_any_way_is_left_in_time(server: Server, answer: Answer) -> None:
    server.paths["/slow"] = answer
    started = time.monotonic()
    with fetching(server) as fetcher, pytest.raises(Unavailable) as caught:
        fetcher.fetch(server.url + "/slow", timeout=0.4)
    assert caught.value.code == "http.timeout"
    assert time.monotonic() - started < 30  # seconds; it did not hang


def test_redirects_share_one_time_limit(server: Server) -> None:
    def later(request: BaseHTTPRequestHandler) -> None:
        time.sleep(0.2)
        request.send_response(302)
        request.send_header("Location", "/a")
        request.send_header("Content-Length", "0")
        request.end_headers()

    server.paths["/a"] = later
    with fetching(server) as fetcher, pytest.raises(Unavailable) as caught:
        fetcher.fetch(server.url + "/a", timeout=0.5)
    assert caught.value.code == "http.timeout"


def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(server: Server) -> None:
    server.on("/big", b"x" * 2_000)
    server.paths["/endless"] = endless
    server.on("/bomb", gzip.compress(b"0" * 50_000_000), Content_Encoding="gzip")
    with fetching(server) as fetcher:
        for path in ("/big", "/endless", "/bomb"):
            with pytest.raises(Invalid) as caught:
                fetcher.fetch(server.url + path, max_bytes=1_000)
            assert caught.value.code == "http.too_large"
        assert len(fetcher.fetch(server.url + "/big", max_bytes=2_000).body) == 2_000


def test_a_packed_body_is_unpacked_and_a_damaged_one_refused(server: Server) -> None:
    packed = gzip.compress(b"kind: A\n" * 5_000)
    server.on("/ok", packed, Content_Encoding="gzip")
    server.on("/cut", packed[:-20], Content_Encoding="gzip")
    server.on("/damaged", b"nothing like it", Content_Encoding="gzip")
    server.on("/unknown", b"x", Content_Encoding="zstd")
    with fetching(server) as fetcher:
        assert fetcher.fetch(server.url + "/ok").body == b"kind: A\n" * 5_000
        for path in ("/cut", "/damaged", "/unknown"):
            with pytest.raises(Invalid) as caught:
                fetcher.fetch(server.url + path)
            assert caught.value.code == "http.bad_answer"


def test_a_web_page_in_place_of_data_is_refused(server: Server) -> None:
    server.on("/login", b"<p>Sign in</p>", Content_Type="text/html; charset=utf-8")
    server.on("/hidden", b"\n<!DOCTYPE html><title>x</title>", Content_Type="text/plain")
    with fetching(server) as fetcher:
        for path in ("/login", "/hidden"):
            with pytest.raises(Invalid, match="web page") as caught:
                fetcher.fetch(server.url + path, accept_kinds=("yaml", "json"))
            assert caught.value.code == "http.unexpected_html"
            assert fetcher.fetch(server.url + path).status == 200


def test_a_server_that_talks_nonsense_or_hangs_up_is_unreachable() -> None:
    for words in (b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]

            def serve(listener: socket.socket = listener, words: bytes = words) -> None:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(words)

            threading.Thread(target=serve, daemon=True).start()
            with fetching(f"127.0.0.1:{port}") as fetcher, pytest.raises(Unavailable) as caught:
                fetcher.fetch(f"http://127.0.0.1:{port}/")
            assert caught.value.code == "http.unreachable"


def test_a_closed_port_and_an_unknown_name_are_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with fetching(f"127.0.0.1:{port}", "nothing.invalid") as fetcher:
        for url in (f"http://127.0.0.1:{port}/", "http://nothing.invalid/"):
            with pytest.raises(Unavailable) as caught:
                fetcher.fetch(url, timeout=5)
            assert caught.value.code in ("http.unreachable", "http.timeout")


def test_a_header_can_not_smuggle_another_one(server: Server) -> None:
    server.on("/a", b"")
    with fetching(server) as fetcher:
        with pytest.raises(Invalid):
            fetcher.fetch(server.url + "/a", headers={"X": "y\r\nHost: evil"})
        with pytest.raises(FlagstoneError):
            fetcher.fetch(server.url + "/a", headers={"X: y\r\nHost": "evil"})
        with pytest.raises(Invalid):
            fetcher.fetch(server.url + "/a", etag='"1"\r\nX: y')
        fetcher.fetch(server.url + "/a", headers={"Host": "evil", "Content-Length": "5"})
    assert [sent["host"] for _, _, sent in server.asked] == [f"127.0.0.1:{server.port}"]


def test_connections_are_used_again_and_requests_may_run_side_by_side(server: Server) -> None:
    server.on("/a", b"x" * 1000)
    with fetching(server) as fetcher:
        results: list[int] = []
        threads = [
            threading.Thread(
                target=lambda: results.extend(len(fetcher.fetch(server.url + "/a").body) for _ in range(10))
            )
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert results == [1000] * 80


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for ``localhost``, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "cert.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(pem)
    return serving, ssl.create_default_context(cafile=str(pem))


def test_the_certificate_is_checked_for_the_name_and_not_for_the_address(
    certificate: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    serving, trusting = certificate
    names: list[str | None] = []
    serving.sni_callback = lambda _socket, name, _context: names.append(name)
    server = Server(context=serving)
    server.on("/a", b"secure")
    server.on("/down", status=302, Location="http://localhost/a")
    rules = [
        AllowedHost.parse(f"localhost:{server.port}"),
        AllowedHost.parse(f"127.0.0.1:{server.port}"),
        AllowedHost("localhost"),
    ]
    with Fetcher(rules, ssl_context=trusting) as fetcher:
        assert fetcher.fetch(f"https://localhost:{server.port}/a").body == b"secure"
        assert names == ["localhost"]
        with pytest.raises(Unavailable, match="certificate"):
            fetcher.fetch(f"https://127.0.0.1:{server.port}/a")
        with pytest.raises(Denied, match="from https to http"):
            fetcher.fetch(f"https://localhost:{server.port}/down")
    with Fetcher(rules) as fetcher, pytest.raises(Unavailable, match="certificate"):
        fetcher.fetch(f"https://localhost:{server.port}/a")
    server.http.shutdown()
    server.http.server_close()


FORGERIES = [
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://localhost.:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0.0.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://017700000001:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://127.000.000.001:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://127.255.255.254:{port}/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[fe80::1]:{port}/",
    "http://[fe80::1%25lo]:{port}/",
    "http://[::1%25lo]:{port}/",
    "http://[fd00:ec2::254]/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::ffff:169.254.169.254]/",
    "http://2852039166/",
    "http://0xA9FEA9FE/",
    "http://100.100.100.200/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.0.1/",
    "http://100.64.0.1/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://240.0.0.1/",
    "http://192.0.0.192/",
    "http://allowed.test@127.0.0.1:{port}/",
    "http://allowed.test:x@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}@allowed.test/",
    "http://@127.0.0.1:{port}/",
    "http://allowed.test%40127.0.0.1:{port}/",
    "http://127.0.0.1%2f@allowed.test/",
    "http://127.0.0.1:{port}\\@allowed.test/",
    "http://allowed.test\\@127.0.0.1:{port}/",
    "http:\\\\127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@allowed.test/",
    "http://127.0.0.1:{port}?@allowed.test/",
    "http://127.0.0.1:{port};@allowed.test/",
    "http:///127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}",
    "http://\u2460\u2461\u2466.0.0.1:{port}/",
    "http://127\u30020\u30020\u30021:{port}/",
    "http://loc\u0430lhost:{port}/",
    "http://lo\u00adcalhost:{port}/",
    "http://\uff4cocalhost:{port}/",
    "http://127.0.0.1\t:{port}/",
    "http://127.0.0.1\r\nHost: allowed.test\r\n:{port}/",
    " http://127.0.0.1:{port}/",
    "http://127.0.0.1\0.allowed.test:{port}/",
    "http://127.0.0.1:{port}:80/",
    "http://127.0.0.1:99999/",
    "http://127.0.0.1:-1/",
    "http://xn--/",
    "http://" + "a" * 300 + ".test/",
    "http://allowed.test.127.0.0.1/",
    "ftp://127.0.0.1:{port}/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/",
    "dict://127.0.0.1:{port}/",
    "data:text/plain,x",
    "unix:///var/run/docker.sock",
    "jar:http://127.0.0.1:{port}/",
    "javascript:1",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
    "",
    "http://",
    "x" * 5000,
]


@pytest.mark.parametrize("url", FORGERIES, ids=[ascii(url)[:50] for url in FORGERIES])
def test_no_way_of_writing_an_address_reaches_the_inside(server: Server, url: str) -> None:
    """Every public host is allowed here, on the port of the server as well: only the check of addresses protects it."""
    server.on("/", b"internal")
    rules = [AllowedHost("*"), AllowedHost("*", server.port), AllowedHost.parse("allowed.test")]
    with Fetcher(rules) as fetcher, pytest.raises(FlagstoneError) as caught:
        fetcher.fetch(url.replace("{port}", str(server.port)), timeout=2)
    assert caught.value.code in ("http.not_allowed", "http.bad_url", "http.unreachable", "http.timeout")
    assert server.asked == []


ADDRESSES = [
    ("93.184.215.14", "*", True),
    ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", "*", True),
    ("10.0.0.1", "*", False),
    ("10.0.0.1", "*.acme.test", False),
    ("10.0.0.1", "git.acme.test", True),
    ("::ffff:10.0.0.1", "git.acme.test", True),
    ("fd12::1", "git.acme.test", True),
    ("127.0.0.1", "git.acme.test", True),
    ("169.254.169.254", "git.acme.test", False),
    ("::ffff:169.254.169.254", "git.acme.test", False),
    ("fe80::1", "git.acme.test", False),
    ("100.100.100.200", "git.acme.test", False),
    ("fd00:ec2::254", "git.acme.test", False),
    ("0.0.0.0", "git.acme.test", False),
    ("::", "git.acme.test", False),
    ("224.0.0.1", "git.acme.test", False),
    ("64:ff9b::a00:1", "git.acme.test", False),
    ("2002:a00:1::", "git.acme.test", False),
]


@pytest.mark.parametrize(("address", "rule", "may"), ADDRESSES)
def test_a_name_may_stand_for_an_inner_address_only_where_that_was_meant(address: str, rule: str, may: bool) -> None:
    assert may_connect(ipaddress.ip_address(address), "git.acme.test", [AllowedHost.parse(rule)]) is may


def test_a_closed_address_can_be_named_itself() -> None:
    rules = [AllowedHost.parse("169.254.10.1:8080")]
    assert may_connect(ipaddress.ip_address("169.254.10.1"), "169.254.10.1", rules)
    assert not may_connect(
        ipaddress.ip_address("169.254.10.1"), "git.acme.test", [AllowedHost.parse("git.acme.test"), *rules]
    )


RULES = [
    ("acme.test", "https", "acme.test", 443, "/", True),
    ("acme.test", "http", "acme.test", 80, "/", True),
    ("acme.test", "https", "acme.test", 8443, "/", False),
    ("acme.test", "https", "www.acme.test", 443, "/", False),
    ("acme.test", "https", "evilacme.test", 443, "/", False),
    ("https://acme.test", "http", "acme.test", 80, "/", False),
    ("*.acme.test", "https", "a.acme.test", 443, "/", True),
    ("*.acme.test", "https", "acme.test", 443, "/", False),
    ("*.acme.test", "https", "evilacme.test", 443, "/", False),
    ("acme.test:8443", "https", "acme.test", 8443, "/", True),
    ("[::1]:80", "http", "::1", 80, "/", True),
    ("acme.test/org/", "https", "acme.test", 443, "/org/a", True),
    ("acme.test/org", "https", "acme.test", 443, "/org?x", True),
    ("acme.test/org", "https", "acme.test", 443, "/organ", False),
    ("acme.test/org/", "https", "acme.test", 443, "/org/../x", False),
    ("acme.test/org/", "https", "acme.test", 443, "/org/%2e%2e/x", False),
    ("acme.test/org/", "https", "acme.test", 443, "/org/..%2fx", False),
    ("ACME.test.", "https", "acme.test", 443, "/", True),
]


@pytest.mark.parametrize(("rule", "scheme", "host", "port", "path", "allowed"), RULES)
def test_a_rule_covers_what_it_says(rule: str, scheme: str, host: str, port: int, path: str, allowed: bool) -> None:
    assert AllowedHost.parse(rule).allows(scheme, host, port, path) is allowed


@pytest.mark.parametrize("text", ["", "https://", "ftp://x", "a b", "u@x", "x:y", "x?y"])
def test_a_rule_that_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        AllowedHost.parse(text)
