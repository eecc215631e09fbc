#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An application of two services, each as OpenTelemetry's own agent instruments it, and three orders.
# usage: application.sh VENV NODE_MODULES HTTP_ENDPOINT GRPC_ENDPOINT
set -eu
venv=$1 modules=$2 http=$3 grpc=$4
here=$(dirname "$0")

# started FILE: the address that a service wrote there.
started() {
    for _ in $(seq 600); do
        if [ -s "$1" ]; then
            cat "$1"
            return
        fi
        sleep 0.1
    done
    echo "$1: a service did not start" >&2
    return 1
}

OTEL_SERVICE_NAME=prices OTEL_EXPORTER_OTLP_ENDPOINT=$grpc \
    "$venv/bin/opentelemetry-instrument" "$venv/bin/python" "$here/prices.py" >prices.address 2>prices.log &
prices=$!
PRICES=$(started prices.address)
OTEL_SERVICE_NAME=shop OTEL_EXPORTER_OTLP_ENDPOINT=$http PRICES=$PRICES NODE_PATH=$modules \
    node --require @opentelemetry/auto-instrumentations-node/register "$here/shop.cjs" >shop.address 2>shop.log &
shop=$!
SHOP=$(started shop.address | grep -o 'http:.*')
for item in lamp chair unicorn; do
    curl -sS -m 60 "$SHOP/order/$item"
    echo
done
kill -TERM "$shop" "$prices"
wait "$shop" "$prices"
