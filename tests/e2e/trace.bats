#!/usr/bin/env bats
# tracekit trace on tests/data/spans/shop.json. What it draws is held in tests/data/spans/golden;
# TK_GOLDEN=write writes it anew for review.

bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return 1
    "$TK" import --keep-duplicates -o shop "$TK_TEST_DATA/spans/shop.json" >import.log 2>&1 || { cat import.log; return 1; }
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return 1
    unset NO_COLOR COLUMNS LC_ALL LC_CTYPE
    export LANG=C.UTF-8 TERM=xterm
}

# golden NAME ARG...: what `trace ARG...` prints is golden/NAME.
golden() {
    name=$1
    shift
    "$TK" trace "$@" >"$BATS_TEST_TMPDIR/out"
    if [ "${TK_GOLDEN:-}" = write ]; then cp "$BATS_TEST_TMPDIR/out" "$TK_TEST_DATA/spans/golden/$name"; fi
    diff -u "$TK_TEST_DATA/spans/golden/$name" "$BATS_TEST_TMPDIR/out"
}

@test "a trace is drawn in 80 columns: repeated siblings are one line, another clock is repaired" {
    golden checkout 4bf92f3577 shop
    [ "$(wc -L <"$BATS_TEST_TMPDIR/out")" -le 80 ]
}

@test "with attributes, events, links and every sibling" {
    golden checkout.all 4bf92f3577 shop --attrs --events --all
}

@test "without UTF-8 it is ASCII" {
    LANG=C golden checkout.ascii 4bf92f3577 shop
    run ! grep -P '[^\x00-\x7F]' "$TK_TEST_DATA/spans/golden/checkout.ascii"
}

@test "times are as they were sent when that is asked for" {
    golden checkout.raw 4bf92f3577 shop --raw
}

@test "odd traces are drawn, and what is odd is told" {
    golden odd d00d shop
    golden orphan a3ce shop
}

@test "narrow and wide terminals get lines that fit" {
    for columns in 40 60 132; do
        COLUMNS=$columns "$TK" trace 4bf92f3577 shop >narrow
        [ "$(tail -n +3 narrow | wc -L)" -le "$columns" ]
    done
}

@test "the beginning of an id is enough when no other begins so" {
    run -2 "$TK" trace 4bf9 shop
    [[ $output == *"'4bf9' begins the ids of several traces: 4bf92f3500000000000000000000000b, 4bf92f3577b34da6a3ce929d0e0e4736"* ]]
    for id in 4BF92F3577 4bf92f35-77b3-4da6-a3ce-929d0e0e4736 4bf92f3577b34da6a3ce929d0e0e4736; do
        run -0 "$TK" trace "$id" shop
        [[ $output == "trace 4bf92f3577b34da6a3ce929d0e0e4736"* ]]
    done
    run -0 "$TK" trace a3ce929d0e0e4737 shop
    [[ $output == "trace 0000000000000000a3ce929d0e0e4737"* ]]
}

@test "latest and slowest find theirs" {
    [ "$("$TK" trace latest shop --json | jq -r .trace_id)" = e0e00000000000000000000000000002 ]
    [ "$("$TK" trace slowest shop --json | jq -r .trace_id)" = 4bf92f3577b34da6a3ce929d0e0e4736 ]
}

@test "short spans are hidden and counted" {
    run -0 "$TK" trace 4bf92f3577 shop --min 50%
    [[ $output == *"GET /cart"* && $output == *"cart GetCart"* ]]
    [[ $output == *"7 shorter spans are hidden (--min)"* ]]
    run -0 "$TK" trace 4bf92f3577 shop --min 15ms
    [[ $output == *"6 shorter spans are hidden (--min)"* ]]
    run -2 "$TK" trace 4bf92f3577 shop --min soon
    [[ $output == *"option '--min': 'soon' is neither a share as 1% nor a duration"* ]]
}

@test "JSON has the tree, self time and the critical path, whose shares add up to the root" {
    "$TK" trace 4bf92f3577 shop --json >tree
    [ "$(jq -c '[.span_count, .service_count, .error_count, .moved_count, .outside_count]' tree)" = "[10,3,1,8,0]" ]
    [ "$(jq '[.spans[].critical_ns // 0] | add' tree)" = "$(jq '.spans[0].duration_ns' tree)" ]
    [ "$(jq -c '[.spans[] | .depth]' tree)" = "[0,1,2,3,3,3,3,3,3,3]" ]
    [ "$(jq -c '.spans[] | select(.name == "price") | [.status, .message, .events[0].name, .links[0].span_id]' tree)" = '["error","no price for item 7","exception","0000000000000031"]' ]
    [ "$("$TK" trace d00d shop --json | jq -c '[.root_count, .cycle_count, .duplicate_count]')" = "[3,1,1]" ]
}

@test "a trace comes as Jaeger and OTLP have it" {
    [ "$("$TK" trace 4bf92f3577 shop --as jaeger | jq '.data[0].spans | length')" -eq 10 ]
    [ "$("$TK" trace 4bf92f3577 shop --as otlp | jq '[.resourceSpans[].scopeSpans[].spans[]] | length')" -eq 10 ]
}

@test "what is no trace, and what is not there, are told" {
    run -2 "$TK" trace nonsense shop
    [[ $output == *"'nonsense' is no trace: expected hexadecimal digits, latest or slowest"* ]]
    run -1 "$TK" trace b0b0 shop
    [[ $output == "tracekit trace: there is no trace 'b0b0'" ]]
    run -2 "$TK" trace
}

@test "CRISP's cases have its critical paths" {
    cases=$TK_SHARED_DATA/crisp/test_cases
    [ -d "$cases" ] || skip "there is no $cases"
    for case in "$cases"/*.json "$cases"/*/*.json; do
        rm -rf crisp
        "$TK" import -o crisp "$case" 2>/dev/null
        expected=$(jq -cS '.testing | if type == "array" then .[0] else . end | .opTimeExclusive // .' "$case")
        found=$("$TK" trace latest crisp --json |
            jq -cS '[.spans[] | select(.critical_ns != null)] | group_by(.service, .name)
                | map({("[" + .[0].service + "] " + .[0].name): (map(.critical_ns) | add / 1000)}) | add')
        [ "$found" = "$expected" ] || { echo "$case: $found"; false; }
    done
}

@test "a trace of 100,000 spans is drawn whole" {
    jq -nc '{resourceSpans: [{resource: {attributes: [{key: "service.name", value: {stringValue: "big"}}]},
        scopeSpans: [{spans: [range(1; 100001) | {traceId: "00000000000000000000000000000b16",
            spanId: ("000000000000000\(.)"[-16:]), parentSpanId: (if . == 1 then "" else "000000000000000\(. / 2 | floor)"[-16:] end),
            name: "op \(. % 1000)", startTimeUnixNano: "\(1700000000000000000 + . * 1000)",
            endTimeUnixNano: "\(1700000000000005000 + . * 1000)"}]}]}]}' >big.json
    "$TK" import -o big big.json 2>/dev/null
    "$TK" trace latest big --all >drawn
    [ "$(wc -l <drawn)" -gt 100000 ]
}
