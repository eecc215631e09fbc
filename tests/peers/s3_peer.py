#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An independent S3 client (botocore) beside ours, on the server that MINIO_* name.

usage: s3_peer.py put KEY < bytes     what we then read
       s3_peer.py get KEY > bytes     what we had written
       s3_peer.py fetch METHOD URL    status of a request without any signing of its own
       s3_peer.py uploads             keys of uploads that nobody finished
"""
import os
import sys
import urllib.error
import urllib.request

import botocore.config
import botocore.session

BUCKET = os.environ["TELEMETRY_BUCKET"]


def client():
    return botocore.session.get_session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=os.environ["MINIO_ENDPOINT"],
        aws_access_key_id=os.environ["MINIO_ACCESS_KEY"],
        aws_secret_access_key=os.environ["MINIO_SECRET_KEY"],
        config=botocore.config.Config(s3={"addressing_style": "path"}),
    )


def fetch(method, url):
    body = b"by url" if method == "PUT" else None
    request = urllib.request.Request(url, data=body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            print(answer.status, answer.read().decode())
    except urllib.error.HTTPError as error:
        print(error.code)


def main():
    action, arguments = sys.argv[1], sys.argv[2:]
    if action == "put":
        client().put_object(Bucket=BUCKET, Key=arguments[0], Body=sys.stdin.buffer.read())
    elif action == "get":
        sys.stdout.buffer.write(client().get_object(Bucket=BUCKET, Key=arguments[0])["Body"].read())
    elif action == "fetch":
        fetch(*arguments)
    elif action == "uploads":
        for upload in client().list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
            print(upload["Key"])
    else:
        sys.exit(__doc__)


main()
