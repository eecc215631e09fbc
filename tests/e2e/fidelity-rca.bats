#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit fidelity rca: causes of injected faults. tests/peers/rca_oracle.py ranks services from the
# description of the algorithms; here both have to agree.

# shellcheck disable=SC2154  # stderr is set by run --separate-stderr

bats_require_minimum_version 1.5.0

# A thousand traces over six minutes; what front, cart and db take differs span by span. After the
# third minute cart is slow in one trace of three.
make_spans() {
    awk 'BEGIN {
        print "TraceID,SpanID,ParentID,PodName,OperationName,StartTimeUnixNano,EndTimeUnixNano,Duration"
        srand(7)
        for (i = 0; i < 1000; i++) {
            start = i * 360000 + int(rand() * 1000)
            cart = 200 + int(rand() * 100) + (start > 180000000 && i % 3 == 0 ? 5000 : 0)
            front = 400 + int(rand() * 100)
            op = i % 7 == 0 ? "list" : "get"
            row(i, "a", "root", "front-579b9bff58-t2dbm", op, start, front)
            row(i, "b", "a", "cart-579f59597d-wc2lz", op, start + 20, cart)
            if (i % 2 == 0) row(i, "c", "b", "db-9cdb6588f-554sm", "query", start + 40, 50 + int(rand() * 20))
            if (i % 5 == 0) row(i, "d", "a", "ads-5f6585d649-fnmft", "list", start + 60, 30 + int(rand() * 40))
        }
    }
    function row(trace, span, parent, pod, op, start, us) {
        printf "%032x,%s,%s,%s,%s,%d000,%d000,%d\n", trace + 1, id(span), parent == "root" ? "root" : id(parent), pod, op, start, start + us, us
    }
    function id(letter) { return sprintf("%016x", index("abcd", letter)) }'
}

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return 1
    make_spans >spans.csv
    cat >faults.json <<'EOF'
{"00": [{"inject_time": "1970-01-01 00:03:00", "inject_pod": "cart-579f59597d-wc2lz", "inject_type": "delay"},
        {"inject_time": "1970-01-01 00:04:30", "inject_pod": "db-9cdb6588f-554sm", "inject_type": "delay"}],
 "01": [{"inject_time": "1970-01-01 01:00:00", "inject_pod": "gone", "inject_type": "return"}]}
EOF
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return 1
    unset NO_COLOR COLUMNS
    export LANG=C.UTF-8 TERM=xterm
}

@test "both algorithms rank the true service where the oracle does" {
    "$TK" fidelity rca --faults faults.json spans.csv --format json >out.json
    PYTHONHASHSEED=0 python3 "$BATS_TEST_DIRNAME/../peers/rca_oracle.py" faults.json spans.csv >oracle.txt
    [ "$(wc -l <oracle.txt)" = 3 ]
    while IFS=, read -r time trace micro; do
        fault=$(jq -c --arg time "$time" '.faults[] | select(.injected == $time)' out.json)
        service=$(jq -r .service <<<"$fault")
        if [ "$trace" = "not scorable" ]; then
            [ "$(jq -r .reason <<<"$fault")" = "no spans around the injection" ]
            continue
        fi
        [ "$(tr ' ' '\n' <<<"$trace" | grep -nx "$service" | cut -d: -f1)" = "$(jq .tracerca <<<"$fault")" ]
        [ "$(tr ' ' '\n' <<<"$micro" | grep -nx "$service" | cut -d: -f1)" = "$(jq .microrank <<<"$fault")" ]
    done <oracle.txt
}

@test "a slow service is found; faults that cannot be scored are told with the reason" {
    run --separate-stderr "$TK" fidelity rca --faults faults.json spans.csv --details
    [ "$status" -eq 0 ]
    [[ $output == *"1970-01-01 00:03:00  cart     delay         1"* ]]
    [[ $output == *"2 of 3 faults scored"* ]]
    [[ $output == *"not scorable: 1970-01-01 01:00:00 gone return: no spans around the injection"* ]]
}

@test "beside the real set it is told what is lost" {
    head -1 spans.csv >front.csv
    grep front- spans.csv >>front.csv
    "$TK" fidelity rca --faults faults.json front.csv spans.csv --format json >out.json
    [ "$(jq '.figures[] | select(.name == "tracerca_ac1" and .rule == "compat") | .value' out.json)" = 0 ]
    [ "$(jq '.figures[] | select(.name == "tracerca_ac1_lost" and .rule == "compat") | .value' out.json)" = 0.5 ]
    run "$TK" fidelity rca --faults faults.json front.csv spans.csv
    [[ $output =~ TraceRCA,\ full\ data\ +0.500 ]]
    "$TK" fidelity rca --faults faults.json spans.csv spans.csv --format csv >same.csv
    [ "$(grep -c '_lost,,compat,distance,0,' same.csv)" = 12 ]
}

@test "what is missing or wrong is one clear line" {
    run -2 "$TK" fidelity rca spans.csv
    [[ $output == *"rca: expected --faults FILE"* ]]
    run -2 "$TK" fidelity rca --faults faults.json
    [[ $output == *"rca: expected a set of traces"* ]]
    run -1 "$TK" fidelity rca --faults nothing.json spans.csv
    [[ $output == *"nothing.json: No such file or directory"* ]]
    echo '{"03": [{"inject_time": "soon"}]}' >bad.json
    run -1 "$TK" fidelity rca --faults bad.json spans.csv
    [[ $output == *"bad.json: hour \"03\", fault 1: inject_time 'soon' is no time as 2022-08-22 03:53:54" ]]
    echo '{}' >none.json
    run -1 "$TK" fidelity rca --faults none.json spans.csv
    [[ $output == *"none.json: no fault in it" ]]
}

@test "faults of Nezha's data: how many can be scored, and what both find" {
    data=$TK_SHARED_DATA/traces
    [ -e "$data/nezha-trainticket-2023-01-29.csv.zst" ] || skip "there is no $data"
    run --separate-stderr "$TK" fidelity rca --faults "$data/nezha-trainticket-2023-01-29.faults.json" \
        "$data/nezha-trainticket-2023-01-29.csv.zst"
    [ "$status" -eq 0 ]
    [[ $output == *"28 of 28 faults scored"* ]]
    [[ $output == *"TraceRCA             0.036  0.107  0.250  0.321  0.321  0.207"* ]]
    run --separate-stderr "$TK" fidelity rca --faults "$data/nezha-onlineboutique-2022-08-22.faults.json" \
        "$data/nezha-onlineboutique-2022-08-22.csv.zst"
    [[ $output == *"16 of 24 faults scored"* ]]
    [[ $output == *"TraceRCA             0.250  0.500  0.562  0.625  0.688  0.525"* ]]
}
