#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Signatures of random requests by botocore, compared with those of `store_tool sign`.

usage: sigv4_oracle.py STORE_TOOL COUNT [SEED]
"""
import datetime
import hashlib
import random
import subprocess
import sys
import urllib.parse
from unittest import mock

import botocore.auth
import botocore.awsrequest
import botocore.credentials

ALPHABET = "abzAZ09-._~/ +=&?#%;:,*()'!\"<>@$|\\^`{}[]é日𝄞\t"


def text(rng, low, high):
    return "".join(rng.choice(ALPHABET) for _ in range(rng.randint(low, high)))


def quote(raw, safe):
    return urllib.parse.quote(raw, safe=safe)


def make_case(rng):
    return {
        "method": rng.choice(["GET", "PUT", "HEAD", "DELETE", "POST"]),
        "key": text(rng, 1, 40),
        "params": {text(rng, 1, 6): text(rng, 0, 12) for _ in range(rng.randint(0, 5))},
        "headers": {f"x-amz-meta-{name}": quote(text(rng, 1, 10), "") for name in
                    rng.sample(["test", "test-two", "a", "z-1"], rng.randint(0, 4))},
        "body": text(rng, 0, 20).encode(),
        "time": rng.randint(0, 4_000_000_000),
        "region": rng.choice(["us-east-1", "eu-west-1", "x"]),
        "token": rng.choice([None, "token/+=" + quote(text(rng, 1, 8), "")]),
    }


def sign_by_botocore(case):
    when = datetime.datetime.utcfromtimestamp(case["time"])
    query = "&".join(f"{quote(n, '~')}={quote(v, '~')}" for n, v in case["params"].items())
    url = f"http://h:9000/bucket/{quote(case['key'], '/~')}" + (f"?{query}" if query else "")
    request = botocore.awsrequest.AWSRequest(
        method=case["method"], url=url, headers=dict(case["headers"]), data=case["body"])
    credentials = botocore.credentials.Credentials("testkey", "testsecret", case["token"])
    auth = botocore.auth.S3SigV4Auth(credentials, "s3", case["region"])
    # Newer versions ask a function of their own for the time.
    newer = hasattr(botocore.auth, "get_current_datetime")
    with mock.patch("botocore.auth.get_current_datetime" if newer else "botocore.auth.datetime") as clock:
        (clock if newer else clock.datetime.utcnow).return_value = when
        auth.add_auth(request)
    return request.headers["Authorization"]


def line_of(case):
    """Fields for store_tool, in hexadecimal, so that no byte needs an escape."""
    fields = [case["method"], case["key"], case["region"], case["token"] or "",
              hashlib.sha256(case["body"]).hexdigest(), str(case["time"]),
              str(len(case["params"]))]
    for pair in list(case["params"].items()) + list(case["headers"].items()):
        fields += pair
    return " ".join("-" + field.encode().hex() for field in fields)


def main():
    tool, count = sys.argv[1], int(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 32)
    rng = random.Random(seed)
    cases = [make_case(rng) for _ in range(count)]
    ours = subprocess.run([tool, "sign"], input="\n".join(map(line_of, cases)) + "\n",
                          capture_output=True, text=True, check=True).stdout.splitlines()
    if len(ours) != count:
        sys.exit(f"{count} requests, {len(ours)} signatures")
    for case, signature in zip(cases, ours):
        if signature != sign_by_botocore(case):
            sys.exit(f"seed {seed}: {case}\nours:   {signature}\ntheirs: {sign_by_botocore(case)}")
    print(f"{count} signatures are equal (seed {seed})")


main()
