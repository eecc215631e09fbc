#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An S3 server that fails as it is told, which no real one can be made to do (object-store.md
section 14). It checks every signature by an implementation of its own.

usage: s3_stub.py FOLDER [N:FAULT]...

The N-th request gets the fault ("*" = every one, "3+" = from the third on). Once it listens it
writes its port to FOLDER/port; each request is a line of JSON in FOLDER/log; objects live in memory.
Keys are testkey and testsecret. REGION, PAGE (keys of a page of a list) and UPLOAD_AGE (seconds
since uploads began) come from the environment, as does TLS, a file with certificate and key.
Faults: see FAULTS.
"""
import datetime
import email.utils
import hashlib
import hmac
import html
import http.server
import json
import os
import re
import ssl
import sys
import threading
import time
import urllib.parse

ACCESS, SECRET = "testkey", "testsecret"
HOUR = 3600
objects, uploads, lock = {}, {}, threading.Lock()


def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def check_signature(handler, body, region):
    """None when it is right, else the code of S3."""
    match = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, "
        r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})",
        handler.headers.get("Authorization", ""))
    if not match:
        return "AccessDenied"
    access, day, used_region, names, signature = match.groups()
    if access != ACCESS:
        return "InvalidAccessKeyId"
    if used_region != region:
        return "AuthorizationHeaderMalformed"
    names = names.split(";")
    wanted = {n.lower() for n in handler.headers if n.lower().startswith("x-amz-")} | {"host"}
    if names != sorted(names) or not wanted <= set(names):
        return "AccessDenied"
    path, _, query = handler.path.partition("?")
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&") if pair)
    digest = handler.headers["x-amz-content-sha256"]
    canonical = "\n".join(
        [handler.command, path, "&".join(f"{n}={v}" for n, v in pairs)]
        + [f"{n}:{handler.headers[n].strip()}" for n in names] + ["", ";".join(names), digest])
    stamp = handler.headers["x-amz-date"]
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, f"{day}/{region}/s3/aws4_request",
                         hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + SECRET).encode()
    for step in (day, region, "s3", "aws4_request"):
        key = sign(key, step)
    if not hmac.compare_digest(sign(key, to_sign).hex(), signature):
        return "SignatureDoesNotMatch"
    if digest != "UNSIGNED-PAYLOAD" and hashlib.sha256(body).hexdigest() != digest:
        return "XAmzContentSHA256Mismatch"
    when = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    if abs(when.timestamp() - handler.server.now()) > 900:
        return "RequestTimeTooSkewed"
    return None


def error(status, code, **headers):
    text = f"<Error><Code>{code}</Code><Message/><RequestId>r1</RequestId></Error>"
    return status, headers, text.encode()


def list_objects(query):
    prefix, size = query.get("prefix", ""), int(os.environ.get("PAGE", "1000"))
    after = query.get("continuation-token", query.get("start-after", ""))
    keys = sorted(k for k in objects if k.startswith(prefix) and k > after)
    rows = "".join(
        f"<Contents><Key>{urllib.parse.quote(k)}</Key><LastModified>2026-11-21T09:02:29.000Z"
        f"</LastModified><ETag>&quot;{etag_of(objects[k])}&quot;</ETag><Size>{len(objects[k])}</Size>"
        "</Contents>" for k in keys[:size])
    more = f"<NextContinuationToken>{keys[size - 1]}</NextContinuationToken>" if keys[size:] else ""
    return (f"<ListBucketResult><EncodingType>url</EncodingType>"
            f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>{more}{rows}"
            "</ListBucketResult>").encode()


def list_uploads(query):
    """Pages as radosgw makes them: nothing is encoded but for XML."""
    size = int(os.environ.get("PAGE", "1000"))
    after = (query.get("key-marker", ""), query.get("upload-id-marker", ""))
    rows = sorted((u["key"], name) for name, u in uploads.items()
                  if u["key"].startswith(query.get("prefix", "")))
    rows = [row for row in rows if row > after]
    text = "".join(
        f"<Upload><Key>{html.escape(key)}</Key><UploadId>{name}</UploadId>"
        f"<Initiated>{uploads[name]['begun']}</Initiated></Upload>" for key, name in rows[:size])
    if rows[size:]:
        key, name = rows[size - 1]
        text += (f"<NextKeyMarker>{html.escape(key)}</NextKeyMarker>"
                 f"<NextUploadIdMarker>{name}</NextUploadIdMarker>")
    return (f"<ListMultipartUploadsResult><IsTruncated>{'true' if rows[size:] else 'false'}"
            f"</IsTruncated>{text}</ListMultipartUploadsResult>").encode()


def list_parts(key, name):
    if name not in uploads or uploads[name]["key"] != key:
        return error(404, "NoSuchUpload")
    rows = "".join(
        f"<Part><PartNumber>{n}</PartNumber><ETag>&quot;{etag_of(body)}&quot;</ETag>"
        f"<Size>{len(body)}</Size></Part>" for n, body in sorted(uploads[name]["parts"].items()))
    return 200, {}, f"<ListPartsResult>{rows}</ListPartsResult>".encode()


def etag_of(body):
    return hashlib.md5(body).hexdigest()


def quoted(body):
    return {"ETag": f'"{etag_of(body)}"'}


def get(handler, key):
    if key not in objects:
        return error(404, "NoSuchKey")
    body = objects[key]
    if handler.headers.get("If-Match", f'"{etag_of(body)}"') != f'"{etag_of(body)}"':
        return error(412, "PreconditionFailed")
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers.get("Range", ""))
    if not match:
        return 200, quoted(body), body
    first, last = int(match[1]), min(int(match[2] or len(body)), len(body) - 1)
    if first >= len(body):
        return error(416, "InvalidRange")
    return 206, {**quoted(body), "Content-Range": f"bytes {first}-{last}/{len(body)}"}, \
        body[first:last + 1]


def put(handler, key, query, body):
    if "uploadId" in query:
        uploads[query["uploadId"]]["parts"][int(query["partNumber"])] = body
    elif handler.headers.get("If-None-Match") == "*" and key in objects:
        return error(412, "PreconditionFailed")
    else:
        objects[key] = body
    return 200, quoted(body), b""


def post(key, query, body):
    if "uploads" in query:
        name = f"upload-{len(uploads) + 1}"
        begun = time.time() - float(os.environ.get("UPLOAD_AGE", "0"))
        uploads[name] = {"key": key, "parts": {},
                         "begun": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begun))}
        return 200, {}, (f"<InitiateMultipartUploadResult><UploadId>{name}</UploadId>"
                         "</InitiateMultipartUploadResult>").encode()
    upload = uploads.pop(query["uploadId"], None)
    if upload is None or upload["key"] != key:
        return error(404, "NoSuchUpload")
    numbers = [int(n) for n in re.findall(rb"<PartNumber>(\d+)</PartNumber>", body)]
    objects[key] = b"".join(upload["parts"][n] for n in numbers)
    return 200, {}, (b"<CompleteMultipartUploadResult><ETag>&quot;e&quot;</ETag>"
                     b"</CompleteMultipartUploadResult>")


def obey(handler, key, query, body):
    if handler.command == "GET" and not key:
        return 200, {}, list_uploads(query) if "uploads" in query else list_objects(query)
    if handler.command == "GET" and "uploadId" in query:
        return list_parts(key, query["uploadId"])
    if handler.command in ("GET", "HEAD"):
        return get(handler, key)
    if handler.command == "PUT":
        return put(handler, key, query, body)
    if handler.command == "POST":
        return post(key, query, body)
    if "uploadId" not in query:
        objects.pop(key, None)
    elif uploads.get(query["uploadId"], {"key": None})["key"] == key:
        del uploads[query["uploadId"]]
    else:
        return error(404, "NoSuchUpload")
    return 204, {}, b""


class Cut(Exception):
    """Close the connection."""


def cut_body(handler, answer):
    status, headers, body = answer()
    handler.answer(status, headers, body[:len(body) // 2], len(body))
    raise Cut


def close_before(handler, answer):
    raise Cut


def close_after(handler, answer):
    answer()
    raise Cut


def slow(handler, answer):
    status, headers, body = answer()
    handler.answer(status, headers, b"", len(body))
    for i in range(len(body)):
        handler.wfile.write(body[i:i + 1])
        time.sleep(0.01)
    return None


def no_length(handler, answer):
    status, headers, body = answer()
    handler.answer(status, headers, body, None)
    raise Cut


def changed(**headers):
    """The right answer with other headers."""
    def fault(handler, answer):
        status, own, body = answer()
        return status, {**own, **headers}, body
    return fault


def instead(status, body, **headers):
    return lambda handler, answer: (status, {k.replace("_", "-"): v for k, v in headers.items()}, body)


def move(handler, answer):
    port = handler.server.server_address[1]
    return error(307, "TemporaryRedirect", Location=f"http://localhost:{port}{handler.path}")


def replace_and_cut(handler, answer):
    try:
        cut_body(handler, answer)
    finally:
        for key in objects:
            objects[key] += b"replaced"


def skew(handler, answer):
    handler.server.shift = HOUR
    return error(403, "RequestTimeTooSkewed")


ENDLESS = (b"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t"
           b"</NextContinuationToken></ListBucketResult>")
FAULTS = {
    "503": lambda h, a: error(503, "SlowDown"),
    "503-after-1": lambda h, a: error(503, "SlowDown", **{"Retry-After": "1"}),
    "500": lambda h, a: error(500, "InternalError"),
    "429": lambda h, a: error(429, "TooManyRequests"),
    "408": lambda h, a: error(408, "RequestTimeout"),
    "400": lambda h, a: error(400, "BadDigest"),
    "403": lambda h, a: error(403, "AccessDenied"),
    "quota": lambda h, a: error(403, "QuotaExceeded"),
    "error-200": lambda h, a: error(200, "InternalError"),
    "empty-etag": instead(200, b"<CompleteMultipartUploadResult><ETag></ETag>"
                               b"</CompleteMultipartUploadResult>"),
    "wrong-etag": changed(ETag='"00000000000000000000000000000000"'),
    "no-etag": changed(ETag=""),
    "cut": cut_body,
    "replace": replace_and_cut,
    "close-before": close_before,
    "close-after": close_after,
    "slow": slow,
    "no-length": no_length,
    "307": move,
    "301": lambda h, a: error(301, "PermanentRedirect", **{"x-amz-bucket-region": h.server.region}),
    "skew": skew,
    "endless": instead(200, ENDLESS),
    "endless-uploads": instead(200, b"<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>"
                                    b"</ListMultipartUploadsResult>"),
    "doctype": instead(200, b'<!DOCTYPE x [<!ENTITY a "b">]><ListBucketResult/>'),
    "giant": instead(200, b"<ListBucketResult>" + b" " * (17 << 20) + b"</ListBucketResult>"),
    "many-headers": instead(200, b"", **{f"x-{i}": "v" * 1000 for i in range(90)}),
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, headers, body, length):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def date_time_string(self, timestamp=None):
        return email.utils.formatdate(self.server.now(), usegmt=True)

    def handle_request(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        parts = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        key = urllib.parse.unquote(parts.path).split("/", 2)[2:]
        key = key[0] if key else ""
        with lock:
            fault = self.server.next_fault()
            bad = check_signature(self, body, self.server.region) if fault != "301" else None
            self.server.note(self, fault, bad)
            try:
                answer = self.refuse(bad) if bad else self.run(fault, key, query, body)
                if answer:
                    self.answer(*answer, len(answer[2]))
            except Cut:
                self.close_connection = True
                self.wfile.flush()
                self.connection.close()

    def refuse(self, code):
        status, headers, text = error(403, code)
        if code != "AuthorizationHeaderMalformed":
            return status, headers, text
        region = f"<Region>{self.server.region}</Region></Error>"
        return 400, headers, text.replace(b"</Error>", region.encode())

    def run(self, fault, key, query, body):
        def right():
            return obey(self, key, query, body)
        if fault == "empty-etag":
            right()
        return FAULTS[fault](self, right) if fault else right()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_request

    def log_message(self, *arguments):
        pass


class Stub(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder, faults):
        super().__init__(("127.0.0.1", 0), Handler)
        self.region = os.environ.get("REGION", "us-east-1")
        self.shift, self.count, self.faults = 0, 0, faults
        self.log = open(os.path.join(folder, "log"), "w", buffering=1, encoding="utf-8")

    def now(self):
        return time.time() + self.shift

    def next_fault(self):
        self.count += 1
        for when, fault in self.faults:
            first = int(when.rstrip("+")) if when != "*" else 1
            if first == self.count or (self.count > first and when[-1] in "+*"):
                return fault
        return None

    def note(self, handler, fault, bad):
        wanted = ("Host", "Range", "If-Match", "If-None-Match", "Expect", "User-Agent")
        headers = {name: handler.headers[name] for name in wanted if name in handler.headers}
        self.log.write(json.dumps({"method": handler.command, "path": handler.path, "fault": fault,
                                   "refused": bad, "time": time.time(), **headers}) + "\n")

    def handle_error(self, request, client_address):
        pass


def main():
    folder, faults = sys.argv[1], [f.split(":", 1) for f in sys.argv[2:]]
    for _, fault in faults:
        if fault not in FAULTS:
            sys.exit(f"s3_stub.py: there is no fault '{fault}'")
    stub = Stub(folder, faults)
    if "TLS" in os.environ:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.environ["TLS"])
        stub.socket = context.wrap_socket(stub.socket, server_side=True)
    with open(os.path.join(folder, "port.new"), "w", encoding="ascii") as file:
        file.write(str(stub.server_address[1]))
    os.rename(os.path.join(folder, "port.new"), os.path.join(folder, "port"))
    stub.serve_forever()


main()
