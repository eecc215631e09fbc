#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An OTLP/HTTP receiver that behaves as told: for what real ones do too seldom to be tested with.

    otlp_receiver.py --port-file FILE --log FILE [--save DIR] BEHAVIOUR...

Each request takes the next BEHAVIOUR, the last one goes on for ever:

    ok            200 with an empty body of the request's type
    partial:N     200, N spans rejected
    CODE[:WAIT]   that status, with Retry-After when WAIT is given; :date:N a date N s ahead
    reset         the connection ends without an answer
    half          half an answer, then the end
    chunked       200 in chunks, byte by byte
    close         200, and the connection is closed
    late:S        200 after S seconds
    never         no answer at all
    early:CODE    that status before the body is read, then the end
    redirect:URL  307 to there

--log gets a line of JSON for each request: when it came (monotonic), path, type, encoding, bytes
inflated, what was done. --save keeps the bodies, inflated, as 000000.body and so on.
"""

import argparse
import email.utils
import gzip
import http.server
import itertools
import json
import os
import socketserver
import threading
import time


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, args):
        super().__init__(("127.0.0.1", 0), Handler)
        self.args = args
        self.lock = threading.Lock()
        self.behaviours = itertools.chain(args.behaviour, itertools.repeat(args.behaviour[-1]))
        self.count = 0

    def next_behaviour(self):
        with self.lock:
            return next(self.behaviours)

    def record(self, body, what):
        with self.lock:
            number = self.count
            self.count += 1
            if self.args.save:
                with open(os.path.join(self.args.save, f"{number:06}.body"), "wb") as file:
                    file.write(body)
            with open(self.args.log, "a", encoding="ascii") as file:
                file.write(json.dumps(what) + "\n")

    def handle_error(self, request, client_address):
        pass  # a sender that hangs up is no news


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        self.send_header("Content-Type", self.headers["Content-Type"])
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self):
        self.close_connection = True

    def success(self, rejected=0):
        is_json = self.headers["Content-Type"] == "application/json"
        if rejected == 0:
            return b"{}" if is_json else b""
        if is_json:
            return json.dumps({"partialSuccess": {"rejectedSpans": str(rejected),
                                                  "errorMessage": "not these"}}).encode()
        partial = bytes([8, rejected, 18, 9]) + b"not these"
        return bytes([10, len(partial)]) + partial

    def refuse(self, status, wait):
        headers = []
        if wait.startswith("date:"):
            when = email.utils.formatdate(time.time() + float(wait[5:]), usegmt=True)
            headers = [("Retry-After", when)]
        elif wait:
            headers = [("Retry-After", wait)]
        self.answer(status, b"\x12\x0bnot so fast", headers)

    def do_POST(self):
        behaviour, _, rest = self.server.next_behaviour().partition(":")
        if behaviour == "early":
            self.server.record(b"", {"t": time.monotonic(), "did": "early"})
            self.answer(int(rest), b"", [("Connection", "close")])
            self.hang_up()
            return
        body = self.rfile.read(int(self.headers["Content-Length"]))
        encoding = self.headers.get("Content-Encoding", "")
        if encoding == "gzip":
            body = gzip.decompress(body)
        self.server.record(body, {
            "t": time.monotonic(), "path": self.path, "type": self.headers["Content-Type"],
            "encoding": encoding, "agent": self.headers["User-Agent"], "bytes": len(body),
            "connection": self.client_address[1], "did": behaviour})
        self.behave(behaviour, rest)

    def behave(self, behaviour, rest):
        if behaviour == "ok":
            self.answer(200, self.success())
        elif behaviour == "partial":
            self.answer(200, self.success(int(rest)))
        elif behaviour.isdigit():
            self.refuse(int(behaviour), rest)
        elif behaviour == "reset":
            self.hang_up()
        elif behaviour == "half":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
            self.hang_up()
        elif behaviour == "chunked":
            for byte in b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n":
                self.wfile.write(bytes([byte]))
        elif behaviour == "close":
            self.answer(200, self.success(), [("Connection", "close")])
            self.hang_up()
        elif behaviour == "late":
            time.sleep(float(rest))
            self.answer(200, self.success())
        elif behaviour == "never":
            time.sleep(3600)
        elif behaviour == "redirect":
            self.answer(307, b"", [("Location", rest)])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port-file", required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--save")
    parser.add_argument("behaviour", nargs="+")
    server = Server(parser.parse_args())
    with open(server.args.port_file + ".new", "w", encoding="ascii") as file:
        file.write(str(server.server_port))
    os.rename(server.args.port_file + ".new", server.args.port_file)
    server.serve_forever()


main()
