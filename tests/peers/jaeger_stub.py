#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A Jaeger server that holds the traces of a file and answers as the query API does.

usage: jaeger_stub.py FOLDER TRACES.json [TOKEN]

Writes its port to FOLDER/port once it listens; each request is a line in FOLDER/log. With a token
all requests without it are refused.
"""
import http.server
import json
import os
import sys
import urllib.parse

folder, token = sys.argv[1], sys.argv[3] if len(sys.argv) > 3 else None
with open(sys.argv[2], encoding="utf-8") as file:
    traces = json.load(file)["data"]


def services_of(trace):
    return {process["serviceName"] for process in trace["processes"].values()}


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        with open(os.path.join(folder, "log"), "a", encoding="utf-8") as log:
            log.write(self.path + "\n")
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if token and self.headers.get("Authorization") != "Bearer " + token:
            self.answer(401, {"errors": [{"code": 401, "msg": "no token"}]})
        elif url.path == "/api/services":
            names = sorted(set().union(*map(services_of, traces)))
            self.answer(200, {"data": names + ["jaeger-query"], "total": len(names)})
        elif url.path == "/api/traces":
            found = [t for t in traces if query["service"] in services_of(t)]
            self.answer(200, {"data": found[: int(query["limit"])], "errors": None})
        elif url.path.startswith("/api/traces/"):
            found = [t for t in traces if t["traceID"] == url.path.rsplit("/", 1)[1]]
            self.answer(200, {"data": found, "errors": None})
        else:
            self.answer(404, {"errors": [{"code": 404, "msg": "not found"}]})

    def log_message(self, *args):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
with open(os.path.join(folder, "port.part"), "w", encoding="utf-8") as port:
    port.write(str(server.server_port))
os.rename(os.path.join(folder, "port.part"), os.path.join(folder, "port"))
server.serve_forever()
