#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tracekit export otlp, read back by OpenTelemetry's own messages (opentelemetry-proto, by pip into a
# cache outside of the tree). Without a way to get them a test skips and says why. What becomes of
# which row without them is for tests/unit/test_otlp_write.c.

bats_require_minimum_version 1.5.0

peers=$BATS_TEST_DIRNAME/../peers/otlp

setup_file() {
    load peers
    peers_cache "$peers/requirements.txt"
    peers_pip "$peers/requirements.txt"
}

setup() {
    load peers
    cd "$BATS_TEST_TMPDIR" || return 1
    unset RUN_ID
}

otlp() {
    peers_python opentelemetry-proto "$peers/otlp_peer.py" "$@"
}

@test "spans: ids, times, names, status and resource of a request and a command" {
    mkdir run
    echo '{"run_id":"r","node":"n0","stage":"cloud","host":"h0","cpu_cores":1}' >run/node_meta.json
    cat >run/events.app.jsonl <<'JSON'
{"trace_id":"7219843B-f744-4ec7-b0a5-6bc9905ce84a","span_id":"762753da20f29885","module_id":"shop","method":"GET","path":"/cart","ts_enqueue":1758000000000,"ts_start":1758000000100,"ts_end":1758000003600,"node":"n0","host":"h0","stage":"cloud","pid":7,"status":503,"bytes_in":10,"bytes_out":20,"user":"ann"}
{"trace_id":"job 1","span_id":"a","parent_id":"762753da20f29885","module_id":"tool","method":"CLI","path":"ffmpeg","ts_enqueue":1758000001000,"ts_start":1758000001000,"ts_end":1758000002000,"node":"n0","status":3}
{"trace_id":"job 1","span_id":"b","parent_id":"a","module_id":"tool","method":"CLI","path":"ffmpeg","ts_enqueue":1758000001000,"ts_start":1758000001000,"ts_end":1758000002000,"node":"n0","status":0}
JSON
    run -0 "$TK" export otlp run -o out
    [[ $output == "out/invocations.otlp.jsonl: 3 spans, "* ]]
    otlp traces out/invocations.otlp.jsonl >rows
    jq -c 'select(.name == "GET /cart") | [.trace, .span, .parent, .kind, .start, .end, .status, .events,
        .attributes["http.request.method"], .attributes["url.path"], .attributes["http.response.status_code"],
        .attributes["http.request.body.size"], .attributes["user.name"]]' rows | diff - <(echo '["7219843bf7444ec7b0a56bc9905ce84a","762753da20f29885","",2,1758000000100000000,1758000003600000000,2,[["enqueue",1758000000000000000]],"GET","/cart",503,10,"ann"]')
    jq -cS 'select(.name == "GET /cart").resource' rows | diff - <(echo '{"host.name":"h0","process.pid":7,"service.name":"shop","tracekit.node":"n0","tracekit.run_id":"run","tracekit.stage":"cloud"}')
    # A span that another one names is found by that name, whether its id was hashed or not.
    [ "$(jq -rs '(map({(.attributes["tracekit.span_id"] // .span): .span}) | add) as $ids
        | map(select(.name == "ffmpeg")) | .[0].parent == $ids["762753da20f29885"] and .[1].parent == $ids["a"]
        and .[0].trace == .[1].trace and .[0].attributes["tracekit.trace_id"] == "job 1"' rows)" = true ]
    [ "$(jq -c 'select(.name == "ffmpeg") | [.kind, .status, .message, .attributes["process.exit.code"]]' rows)" = '[1,2,"exit code 3",3]
[1,0,"",0]' ]
}

@test "metrics: what a run says of hosts, links and processes" {
    mkdir run
    echo '{"run_id":"r","node":"n0","stage":"cloud","host":"h0","cpu_cores":1}' >run/node_meta.json
    echo '{"ts_ms":1758000001000,"node":"n0","stage":"cloud","cpu_util":96.08,"mem_free_mb":11004}' >run/resources.jsonl
    echo '{"ts_ms":1758000001000,"node":"n0","stage":"cloud","link":"n0.nic","rx_Bps":5099,"tx_Bps":100,"dt_ms":2000,"iface":"eth0"}' >run/links.jsonl
    echo '{"ts_ms":1758000001000,"ts_us":1758000001000500,"pid":7,"start_ticks":3,"comm":"app","utime":1,"stime":0,"rss_kb":1024,"cpu_ns":28486769}' >run/proc_metrics.jsonl
    "$TK" export otlp run -o out
    cat out/{host,link,proc}_metrics.otlp.jsonl >all
    otlp metrics all >rows
    jq -c '[.name, .unit, .shape, .temporality, .monotonic, .start, .at, .value, .attributes, .resource["process.pid"]]' rows | diff - <(cat <<'JSON'
["system.cpu.utilization","1","gauge",null,null,0,1758000001000000000,0.9608,{},null]
["system.memory.usage","By","sum",2,false,0,1758000001000000000,11004000000,{"system.memory.state":"free"},null]
["system.network.io","By","sum",1,true,1757999999000000000,1758000001000000000,10198,{"network.io.direction":"receive","network.interface.name":"eth0"},null]
["system.network.io","By","sum",1,true,1757999999000000000,1758000001000000000,200,{"network.io.direction":"transmit","network.interface.name":"eth0"},null]
["process.cpu.time","s","sum",2,true,0,1758000001000500000,0.028486769,{},7]
["process.memory.usage","By","sum",2,false,0,1758000001000500000,1048576,{},7]
JSON
)
}

@test "every row of recorded runs is a span or a point that OpenTelemetry takes" {
    for name in compile service; do
        "$TK" export otlp "$TK_TEST_DATA/show/$name" -o "$name"
        "$TK" export jsonl "$TK_TEST_DATA/show/$name" -o "$name-lines" >/dev/null
        otlp traces "$name/invocations.otlp.jsonl" >spans
        [ "$(wc -l <spans)" = "$(wc -l <"$name-lines/invocations.jsonl")" ]
        otlp metrics "$name/proc_metrics.otlp.jsonl" >points
        [ "$(jq -s 'map(select(.name == "process.memory.usage")) | length' points)" = "$(wc -l <"$name-lines/proc_metrics.jsonl")" ]
    done
}
