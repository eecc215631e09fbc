#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit fidelity sample, control, suite, and the page of a comparison.

# shellcheck disable=SC2154  # stderr is set by run --separate-stderr

bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return 1
    # 600 traces of two or three spans over a minute and a half; one in twenty has an error. (%d of
    # mawk ends at 2^31.)
    awk 'BEGIN {
        srand(7)
        for (i = 0; i < 600; i++) {
            start = 1000000000000000 + i * 150000000
            long = int((5 + rand() * 40) * 1000) * 1000
            trace = sprintf("%032x", i + 1)
            status = i % 20 ? "" : ",\"status\":{\"code\":2}"
            printf "{\"trace_id\":\"%s\",\"span_id\":\"%016x\",\"name\":\"GET /\",\"kind\":2,\"start_time_unix_nano\":%.0f,\"end_time_unix_nano\":%.0f,\"resource\":{\"service.name\":\"front\"}}\n", trace, 3 * i + 1, start, start + long
            printf "{\"trace_id\":\"%s\",\"span_id\":\"%016x\",\"parent_span_id\":\"%016x\",\"name\":\"get\",\"kind\":2,\"start_time_unix_nano\":%.0f,\"end_time_unix_nano\":%.0f,\"resource\":{\"service.name\":\"cart\"}%s}\n", trace, 3 * i + 2, 3 * i + 1, start + 1000000, start + 1000000 + int(long / 2000) * 1000, status
            if (i % 3 == 0)
                printf "{\"trace_id\":\"%s\",\"span_id\":\"%016x\",\"parent_span_id\":\"%016x\",\"name\":\"look\",\"kind\":3,\"start_time_unix_nano\":%.0f,\"end_time_unix_nano\":%.0f,\"resource\":{\"service.name\":\"price\"}}\n", trace, 3 * i + 3, 3 * i + 2, start + 2000000, start + 3000000
        }
    }' >shop.jsonl
    "$TK" fidelity suite --data shop=shop.jsonl --methods head,stratified,markov,columns,otap,head:10 \
        --budgets 5,20 --seeds 2 -m queries -o first >suite.log 2>&1 || { cat suite.log; return 1; }
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return 1
    export LANG=C.UTF-8
}

# traces FILE: how many traces a file of spans holds.
traces() {
    "$TK" fidelity query "$1" red_rate --param service_name=front | awk -F, 'NR > 1 { n += $NF } END { print n + 0 }'
}

# item FILTER: of the items of the first report.
item() {
    jq -r ".sets[0].items[] | select($1)" first.json
}

@test "sample keeps whole traces, with what they hold, and says what each stands for" {
    "$TK" fidelity sample head shop.jsonl --one-of 4 --seed 3 --encoding jsonl -o head.jsonl 2>told
    n=$(traces head.jsonl)
    ((n > 100 && n < 200))
    grep -qE "^head.jsonl: $n of 600 traces, [0-9]+ spans$" told
    # Each line of the sample is a span of the set.
    jq -r .span_id head.jsonl | sort >ids
    jq -r .span_id shop.jsonl | sort | comm -23 ids - | { ! grep -q .; }
    "$TK" fidelity sample head shop.jsonl --one-of 4 --seed 3 --encoding otlp -o - 2>/dev/null | grep -q 'ot=th:c"'
}

@test "a seed gives the same sample again, and a denser one holds it" {
    "$TK" fidelity sample head shop.jsonl -n 10 --seed 5 -o a.otlp 2>/dev/null
    "$TK" fidelity sample head shop.jsonl -n 10 --seed 5 -o b.otlp 2>/dev/null
    cmp a.otlp b.otlp
    "$TK" fidelity sample first shop.jsonl -n 50 -o f.otlp 2>told
    [ "$(traces f.otlp)" = 50 ]
    "$TK" fidelity sample errors shop.jsonl -n 1 -o e.otlp 2>told
    [ "$(traces e.otlp)" = 30 ]
}

@test "sample and control refuse what is none" {
    run -2 --separate-stderr "$TK" fidelity sample heads shop.jsonl -o x
    [[ $stderr == *"'heads' is no sampler: did you mean 'head'?"* ]]
    run -2 --separate-stderr "$TK" fidelity control halve shop.jsonl -o x
    [[ $stderr == *"'halve' is no control: did you mean 'halves'?"* ]]
    run -2 --separate-stderr "$TK" fidelity sample head shop.jsonl
    [[ $stderr == *"--output FILE"* ]]
    run -2 --separate-stderr "$TK" fidelity sample head - -o x
    [[ $stderr == *"reads its input twice"* ]]
    run -2 --separate-stderr "$TK" fidelity sample head shop.jsonl --encoding jaeger -o x
    [[ $stderr == *"jaeger wants whole traces"* ]]
    [ ! -e x ]
}

@test "a control differs in what it breaks and in nothing else" {
    "$TK" fidelity control swapped-durations shop.jsonl -o swapped.otlp 2>/dev/null
    "$TK" fidelity swapped.otlp shop.jsonl -m queries --format json >out.json
    value() { jq ".figures[] | select(.group == \"queries\" and .name == \"$1\" and .rule == \"strict\" and .detail == null) | .value" out.json; }
    [ "$(value red_rate)" = 0 ]
    [ "$(value system_architecture)" = 0 ]
    awk -v d="$(value red_duration)" 'BEGIN { exit !(d > 0.05) }'
}

@test "the page of a comparison is one file with plots and all figures" {
    "$TK" fidelity sample head shop.jsonl -n 5 -o s.otlp 2>/dev/null
    "$TK" fidelity s.otlp shop.jsonl -m queries --html page.html >/dev/null
    [ "$(grep -o '<svg ' page.html | wc -l)" = 4 ]
    for name in 'Rate over time' 'Errors over time' 'Quantiles of the durations'; do
        grep -q "$name" page.html
    done
    grep -q '<th>red_duration</th>' page.html
    grep -q 'At a glance' page.html
    ! grep -qE '(src|href)=' page.html || false
}

@test "a sample stays within its budget and comes close, up to the whole set" {
    whole=$(item '.method == "columns"' | jq '.runs[0].bytes')
    for method in head stratified; do
        item ".method == \"$method\" and .setting == \"5 B/trace\"" |
            jq -e '[.runs[].bytes] | all(. <= 3000 and . >= 2700)'
        item ".method == \"$method\" and .setting == \"20 B/trace\"" |
            jq -e "[.runs[].bytes] | all(. == $whole)"
    done
}

@test "what keeps all traces is at no distance, and a sample is at some" {
    item '.method == "columns"' | jq -e '.runs[0].traces == 600 and .runs[0].strict < 1e-6'
    item '.method == "otap"' | jq -e '.runs[0].traces == 600 and .runs[0].strict == 0'
    item '.method == "head" and .setting == "1:10"' | jq -e '[.runs[].strict] | all(. > 0.05)'
}

@test "controls stand in the same report, and compat is blind to uniform starts" {
    [ "$(item '.method == "control"' | jq -s length)" = 5 ]
    jq -e '.sets[0].uninformative | map(select(.rule == "compat" and .control == "uniform-starts")) | length > 0' first.json
    jq -e '.sets[0].uninformative | map(select(.rule == "strict" and .control == "constant-starts")) | length == 0' first.json
}

@test "what models all traces is met by others at its own size" {
    size=$(item '.method == "markov"' | jq .trace_bytes)
    item '.method == "head" and .as_large_as == "markov"' | jq -e ".fits == false or (.trace_bytes <= $size)"
}

@test "a run again gives the same report, whatever the number of jobs" {
    "$TK" fidelity suite --data shop=shop.jsonl --methods head,stratified,markov,columns,otap,head:10 \
        --budgets 5,20 --seeds 2 -m queries -j 1 --no-cost -o second >/dev/null
    cmp first.json second.json
    cmp first.md second.md
    cmp first-shop.svg second-shop.svg
    [ ! -e second-cost.json ]
    ! grep -q 'CPU s' second.html || false
    grep -q 'CPU s' first.html
}

@test "the page says who is better at equal bytes, and needs nothing else" {
    grep -q 'Who is better at equal bytes' first.html
    grep -qE '<li><b>markov all</b> \([0-9.]+ B/trace\) against <b>head 1:10</b>' first.html
    ! grep -qE '(src|href)=' first.html || false
    [ "$(wc -c <first.html)" -lt 400000 ]
}

@test "the next block asks whether a model describes what came after" {
    "$TK" fidelity suite --data shop.jsonl --methods markov --seeds 1 -m queries --next-block -o next.html >/dev/null
    jq -e '.sets[0] | .data == "shop" and .traces == 300 and .traces_of_file == 600' next.json
    jq -e '[.sets[0].items[] | select(.method == "markov") | .next_block[] | select(.group == "queries" and .name == "red_duration")] | length == 2' next.json
    grep -q 'Against the next block' next.html
}

@test "the report says trace by trace what came back, and what is found of root causes" {
    echo '{"13": [{"inject_time": "1970-01-12 13:47:20", "inject_pod": "cart-579b9bff58-t2dbm", "inject_type": "cpu"}]}' >faults.json
    "$TK" fidelity suite --data shop=shop.jsonl --methods columns,tkz:5%,head:10 --seeds 1 -m trace \
        --faults shop=faults.json -o causes >/dev/null
    for name in tracerca microrank; do
        jq -e --arg name "${name}_avg5" '[.sets[0].items[] | select(.method == "columns") | .figures[] | select(.group == "rca" and .name == $name) | .mean] | length == 2 and all(. >= 0.2)' causes.json
        jq -e --arg name "${name}_avg5_lost" '[.sets[0].items[] | select(.method == "columns") | .figures[] | select(.group == "rca" and .name == $name) | .mean] | length == 2 and all(. == 0)' causes.json
    done
    for heading in 'Trace by trace' 'Root causes'; do
        grep -q "<h3>$heading</h3>" causes.html
        grep -q "^### $heading" causes.md
    done
    # Without a list of faults there is nothing to say.
    ! grep -q 'Root causes' first.html || false
    run -2 --separate-stderr "$TK" fidelity suite --data shop=shop.jsonl --faults cart=faults.json -o x
    [[ $stderr == *"'cart=faults.json' names none of the sets"* ]]
    run -1 --separate-stderr "$TK" fidelity suite --data shop=shop.jsonl --faults none.json -o x
    [[ $stderr == *"none.json"* ]]
}

@test "a terminal is told how far the runs are, a file is not" {
    call="'$TK' fidelity suite --data shop=shop.jsonl --methods columns --seeds 1 -m trace -o told"
    script -qec "$call" /dev/null >terminal
    grep -q 'shop: 0 of [0-9]* runs' terminal
    eval "$call" >/dev/null 2>log
    [ ! -s log ]
}

@test "the suite refuses what it does not know" {
    run -2 --separate-stderr "$TK" fidelity suite -o x
    [[ $stderr == *"expected a set of traces: --data NAME=PATH"* ]]
    run -2 --separate-stderr "$TK" fidelity suite --data shop.jsonl
    [[ $stderr == *"--output REPORT"* ]]
    run -2 --separate-stderr "$TK" fidelity suite --data shop.jsonl --methods best -o x
    [[ $stderr == *"'best' is no method"* ]]
    run -2 --separate-stderr "$TK" fidelity suite --data shop.jsonl --methods head:0.5 -o x
    [[ $stderr == *"'0.5' is no setting of head"* ]]
    run -2 --separate-stderr "$TK" fidelity suite --data shop.jsonl --budgets 5,x -o x
    [[ $stderr == *"'x' is no number of bytes"* ]]
    run -1 --separate-stderr "$TK" fidelity suite --data gone.jsonl -o x
    [[ $stderr == *gone.jsonl* ]]
    [ ! -e x.json ]
}

@test "the codec beats head sampling at its own size on every query, and is in the page" {
    "$TK" fidelity suite --data shop=shop.jsonl --methods tkz:5%,tkz,head,head:2 --budgets 0.01,5 \
        --seeds 2 -m queries -o ours >/dev/null
    own=$(jq '.sets[0].items[] | select(.method == "tkz" and .setting == "±5 %")' ours.json)
    jq -e '[.runs[].traces] | all(. == 600)' <<<"$own"
    other=$(jq '.sets[0].items[] | select(.as_large_as == "tkz")' ours.json)
    jq -e --argjson own "$own" '.trace_bytes <= $own.trace_bytes and ([.runs[].strict] | min) > ([$own.runs[].strict] | max)' <<<"$other"
    jq -e '.sets[0].items[] | select(.method == "tkz" and .setting == "5 B/trace") | [.runs[].bytes] | all(. <= 3000)' ours.json
    jq -e '.sets[0].items[] | select(.method == "tkz" and .setting == "0.01 B/trace") | .fits == false' ours.json
    grep -qE '<li><b>tkz ±5 %</b> .*times better' ours.html
    run -2 --separate-stderr "$TK" fidelity suite --data shop.jsonl --methods tkz:0% -o x
    [[ $stderr == *"'0%' is no setting of tkz"* ]]
}

@test "controls of hipstershop rank as they are known to" {
    real=$TK_SHARED_DATA/traces/hipstershop-oteltraces.zst
    [ -r "$real" ] || skip "there is no $real"
    figures() { "$TK" fidelity "$1.otlp" "$real" -m queries,tasks --format json >"$1.figures"; }
    value() { jq ".figures[] | select(.group == \"$2\" and .name == \"$3\" and .rule == \"$4\" and .detail == null) | .value" "$1.figures"; }
    within() { awk -v v="$1" -v low="$2" -v high="$3" 'BEGIN { exit !(v >= low && v <= high) }'; }
    for control in uniform-starts constant-starts; do
        "$TK" fidelity control $control "$real" -o $control.otlp 2>/dev/null
        figures $control
    done
    # The page has: compat 0.00001, strict 0.076, trigger F1 0.97; compat 0.0021, strict 0.333, 0.06.
    within "$(value uniform-starts queries mean compat)" 0 0.00002
    within "$(value uniform-starts queries mean strict)" 0.06 0.1
    within "$(value uniform-starts tasks trigger_correlation strict)" 0.93 0.99
    within "$(value constant-starts queries mean compat)" 0.0015 0.0025
    within "$(value constant-starts queries mean strict)" 0.3 0.45
    within "$(value constant-starts tasks trigger_correlation strict)" 0 0.1
}

# What the codec is for, on 3,000 traces that nothing was tuned on: those of OnlineBoutique after the
# 10,000 that figures are usually of.
@test "on traces never seen, 5 % beats head 1:10 and tables beat head 1:50, for fewer bytes, on the page" {
    boutique=$TK_SHARED_DATA/traces/nezha-onlineboutique-2022-08-22.csv.zst
    [ -f "$boutique" ] || skip "there is no $boutique"
    "$TK" compress "$boutique" --traces 10000:13000 --lossless -o new.tkz 2>/dev/null >&2
    "$TK" expand new.tkz --format otlp-proto -o new.otlp 2>/dev/null
    "$TK" fidelity suite --data new=new.otlp --methods tkz:5%,tkz:generative,head:10,head:50 \
        --seeds 1 -m queries,joint -o done >done.log 2>&1 || { cat done.log; false; }
    # Bytes, and of each strict query who is nearer.
    jq -e '.sets[0].items | map({key: "\(.method) \(.setting)", value: .}) | from_entries |
        def strict: [.figures[] | select(.group == "queries" and .rule == "strict" and .name != "mean" and .mean != null)]
            | map({key: .name, value: .mean}) | from_entries;
        def beats($a; $b): ($a.trace_bytes <= $b.trace_bytes) and
            (($a | strict) as $x | ($b | strict) as $y | ($x | length) >= 7 and
             ($x | to_entries | all(.value <= $y[.key])) and ($x | to_entries | map(select(.value < $y[.key])) | length) >= 6);
        beats(.["tkz ±5 %"]; .["head 1:10"]) and beats(.["tkz generative"]; .["head 1:50"])' done.json
    # Services that call one another in each 10 s are those that did.
    [ "$(jq '[.sets[0].items[] | select(.setting == "±5 %") | .figures[] | select(.name == "trigger") | .mean][0]' done.json)" = 1 ]
    # A stranger reads it in two sentences.
    grep -qE '<b>tkz ±5 %</b> \([0-9.]+ B/trace\) against <b>head 1:10</b>.*<span class=ok>[0-9.e+]+ times better</span>; of the ten queries better on [67], worse on 0' done.html
    grep -qE '<b>tkz generative</b> \([0-9.]+ B/trace\) against <b>head 1:50</b>.*times better</span>; of the ten queries better on [67], worse on 0' done.html
    grep -q 'Errors over time: No span of any of these sets has an error.' done.html
}
