"""Data from a server: its refusals and broken transfers are one line, and signed URLs are read and never shown."""

from __future__ import annotations

import gzip
import http.server
import re
import threading
import zipfile

import pytest

from nqperf.errors import FormatError
from nqperf.formats.lines import lines_of
from nqperf.formats.nq.jsonl import NqReader
from nqperf.formats.remote import shown_url

pytest.importorskip("aiohttp")
LINES = b"".join(b'{"line": %06d, "text": "%s"}\n' % (number, b"x" * 200) for number in range(60_000))  # 14 MB


class _Handler(http.server.BaseHTTPRequestHandler):
    """`/403`, `/500`; `/cut` closes in the middle; the rest are files, which a right signature may ask for."""

    files: dict[str, bytes]

    def log_message(self, *_arguments):
        pass

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, *, body):
        path, _, query = self.path.partition("?")
        status = {"/403": 403, "/500": 500}.get(path, 200 if path in self.files else 404)
        if path == "/signed.jsonl" and query != "X-Amz-Signature=a*b%2F&X=[1]?":
            status = 403
        if status != 200:
            self.send_error(status)
            return
        content = self.files[path]
        first, last = 0, len(content) - 1
        if asked := self.headers.get("Range"):
            first, last = (int(part) for part in asked.removeprefix("bytes=").split("-"))
            last = min(last, len(content) - 1)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        if body:
            part = content[first : last + 1]
            if path == "/cut.jsonl" and last > 6_000_000:
                part = part[: len(part) // 2]
                self.close_connection = True
            self.wfile.write(part)


@pytest.fixture
def server(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("one.jsonl", LINES[:1000])
        archive.writestr("two.jsonl", LINES[:500])
    files = {
        "/plain.jsonl": LINES,
        "/packed": gzip.compress(LINES[: 240 * 1000], 1),
        "/signed.jsonl": LINES[:1000],
        "/cut.jsonl": LINES,
        "/a.zip": (tmp_path / "a.zip").read_bytes(),
    }
    handler = type("Handler", (_Handler,), {"files": files})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def count(source):
    return sum(1 for _ in lines_of(source, what="a thing"))


def refusal(source):
    with pytest.raises(FormatError) as caught:
        count(source)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert len(message) < 300
    return message


def test_files_are_read_from_a_server(server):
    assert count(f"{server}/plain.jsonl") == 60_000
    assert count(f"{server}/packed") == len(LINES[: 240 * 1000].splitlines())


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("403", r"the server answered 403; expected a thing: check the URL, and that it has not expired"),
        ("500", "the server answered 500; expected a thing: try again later"),
        ("none.jsonl", "404|no such file"),
        ("signed.jsonl?X-Amz-Signature=old", r"/signed\.jsonl\?\[cut\] the server answered 403"),
    ],
)
def test_what_a_server_refuses_is_one_line(server, path, said):
    message = refusal(f"{server}/{path}")
    assert re.search(said, message), message
    assert "Signature" not in message


def test_a_server_that_is_not_there_is_one_line():
    assert "cannot be read" in refusal("http://127.0.0.1:9/a.jsonl")


def test_a_transfer_that_breaks_off_says_after_which_line(server):
    message = refusal(f"{server}/cut.jsonl")
    assert "broke off after line " in message
    assert message.endswith("give the same command again")


def test_a_signed_url_is_read_and_not_shown(server):
    source = f"{server}/signed.jsonl?X-Amz-Signature=a*b%2F&X=[1]?"
    (first, *_) = lines_of(source, what="a thing")
    assert first.path == f"{server}/signed.jsonl?[cut]"
    assert NqReader(source=source).shown == f"{server}/signed.jsonl?[cut]"


def test_urls_are_chained(server, tmp_path):
    assert count(f"zip://two.jsonl::{server}/a.zip") == len(LINES[:500].splitlines())
    assert count(f"zip://*.jsonl::{server}/a.zip") == len(LINES[:1000].splitlines()) + len(LINES[:500].splitlines())
    assert count(f"simplecache::{server}/packed") == len(LINES[: 240 * 1000].splitlines())
    assert "no such file" in refusal(f"zip://three.jsonl::{server}/a.zip")
    assert "the server answered 403" in refusal(f"zip://two.jsonl::{server}/403")
    (tmp_path / "a.jsonl").write_bytes(b"1\n2\n")
    assert count(f"file://{tmp_path}/*.jsonl") == 2


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("https://user:word@host/a.jsonl?sig=1", "https://[cut]@host/a.jsonl?[cut]"),
        ("zip://a.jsonl::https://host/a.zip?sig=1", "zip://a.jsonl::https://host/a.zip?[cut]"),
        ("s3://bucket/a.jsonl", "s3://bucket/a.jsonl"),
        ("what?.jsonl", "what?.jsonl"),
        ("-", "-"),
    ],
)
def test_what_signs_a_url_is_not_shown(source, shown):
    assert shown_url(source) == shown


def test_a_protocol_that_nothing_reads_is_one_line():
    assert "cannot be read" in refusal("nonsense://bucket/a.jsonl")
