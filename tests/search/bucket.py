"""A server of object storage for tests: as much of S3 as LanceDB asks for, with one bucket in memory.

`python -m tests.search.bucket` prints its address, and serves until its standard input ends. A put with
`If-None-Match: *` is refused where the object exists, by which LanceDB commits. Uploads in parts are not known.
"""

import hashlib
import sys
import threading
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

BUCKET = "bucket"
LIST = '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>false</IsTruncated>{}</ListBucketResult>'


class Bucket(BaseHTTPRequestHandler):
    """Answers one connection; the objects are the class's."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm, wbufsize = True, -1  # else each answer takes 40 ms
    objects: ClassVar[dict[str, bytes]] = {}
    lock = threading.Lock()

    def asked(self):
        """The bucket, the key and the query of the request."""
        url = urlsplit(self.path)
        bucket, _, key = unquote(url.path).removeprefix("/").partition("/")
        return bucket, key, {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in ({"Content-Length": len(body)} | headers).items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code, message):
        self.answer(status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode())

    def do_PUT(self):
        _, key, _ = self.asked()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.lock:
            if self.headers["If-None-Match"] == "*" and key in self.objects:
                self.refuse(412, "PreconditionFailed", "the object exists")
                return
            self.objects[key] = body
        self.answer(200, ETag=etag(body))

    def do_GET(self):
        bucket, key, query = self.asked()
        if bucket != BUCKET:
            self.refuse(404, "NoSuchBucket", "The specified bucket does not exist")
        elif not key:
            self.answer(200, self.listed(query.get("prefix", ""), query.get("delimiter", "")).encode())
        elif key not in self.objects:
            self.refuse(404, "NoSuchKey", "The specified key does not exist.")
        else:
            body, status, more = self.objects[key], 200, {}
            if wanted := self.headers["Range"]:
                start, _, end = wanted.removeprefix("bytes=").partition("-")
                first = int(start) if start else max(0, len(body) - int(end))
                last = min(int(end), len(body) - 1) if start and end else len(body) - 1
                status, more = 206, {"Content_Range": f"bytes {first}-{last}/{len(body)}"}
                body = body[first : last + 1]
            self.answer(status, body, ETag=etag(self.objects[key]), Last_Modified=formatdate(usegmt=True), **more)

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def do_DELETE(self):
        self.objects.pop(self.asked()[1], None)
        self.answer(204)

    def do_POST(self):
        """Deletes several."""
        body = ElementTree.fromstring(self.rfile.read(int(self.headers["Content-Length"])))
        keys = [each.text or "" for each in body.iter() if each.tag.endswith("Key")]
        for key in keys:
            self.objects.pop(key, None)
        deleted = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        self.answer(200, f"<DeleteResult>{deleted}</DeleteResult>".encode())

    def listed(self, prefix, delimiter):
        """What begins with a prefix: the objects, and up to a delimiter what the others have in common."""
        found, common = "", set()
        for key, body in sorted(self.objects.items()):
            if key.startswith(prefix):
                rest = key.removeprefix(prefix)
                if delimiter and delimiter in rest:
                    common.add(prefix + rest.partition(delimiter)[0] + delimiter)
                else:
                    found += f"<Contents><Key>{escape(key)}</Key><Size>{len(body)}</Size><ETag>{etag(body)}</ETag>"
                    found += "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
        folders = "".join(
            f"<CommonPrefixes><Prefix>{escape(each)}</Prefix></CommonPrefixes>" for each in sorted(common)
        )
        return LIST.format(found + folders)

    def log_message(self, *_):
        pass


def etag(body):
    return f'"{hashlib.md5(body).hexdigest()}"'


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
