# SPDX-License-Identifier: Apache-2.0
"""Prices: GET /price/ITEM thinks for 0.4 s of CPU time. It knows nothing of telemetry."""
import signal
import sys
import time

from flask import Flask, abort
from werkzeug.serving import make_server

app = Flask("prices")


@app.get("/price/<item>")
def price(item):
    if item == "unicorn":
        abort(404)
    end = time.process_time() + 0.4
    while time.process_time() < end:
        sum(range(1000))
    return {"item": item, "price": 42}


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server = make_server("127.0.0.1", 0, app)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
