#!/usr/bin/env bats
# tracekit serve --ui: a web page on the listener of queries.

bats_require_minimum_version 1.5.0

setup() {
    load serve_helpers
    cd "$BATS_TEST_TMPDIR" || return 1
    unset RUN_ID NOTIFY_SOCKET
}

teardown() {
    serve_clean
}

# ask PATH [CURL OPTION...]: the body, and then the status as a line.
ask() {
    curl -sS -w '\n%{http_code}\n' "${@:2}" "http://$QUERY$1"
}

@test "a page: its files, itself for its own paths, and nothing of this machine" {
    mkdir -p ui/static
    echo secret >secret
    printf '<html><script>const JAEGER_VERSION = DEFAULT_VERSION;</script></html>' >ui/index.html
    head -c 100000 /dev/zero | tr '\0' ' ' >ui/static/main.js
    ln -s ../../secret ui/static/link
    serve_start --ui ui run
    grep -q 'page ui: 2 files of 97.*; left out: 1 (links, or no files)' ready
    run -0 ask / -D head
    [[ ${lines[0]} == *'"gitVersion":"tracekit '* ]]
    grep -qi '^content-type: text/html; charset=utf-8' head
    grep -qi "^content-security-policy: default-src 'self'; " head
    grep -qi '^x-content-type-options: nosniff' head
    [ "$(ask /trace/4bf92f3577b34da6)" = "$(ask /)" ]
    curl -sS --compressed -D head "http://$QUERY/static/main.js" | cmp - ui/static/main.js
    grep -qi '^content-type: text/javascript; charset=utf-8' head
    for path in /../secret /static/../../secret /%2e%2e/secret /static/..%2f..%2fsecret /static/link //etc/passwd; do
        run -0 ask "$path" --path-as-is
        [[ $output != *secret* && $output != *root:* && $output == *[24]0[04] ]]
    done
    run -0 ask /api/nothing
    [ "${lines[-1]}" = 404 ]
    [[ $(ask /api/services) == *'"data":[]'* ]]
    [[ $(curl -sS "http://$HTTP/") == "tracekit "* ]]
    serve_stop
    run -2 "$TK" serve --query off --ui ui other
    [[ $output == *"option '--ui': the listener that shows it, --query, is off"* ]]
    run -1 "$TK" serve --ui ui/static other
    [[ $output == *"option '--ui': ui/static: holds no index.html"* ]]
}

# What a bundle of Jaeger's page does at its start: a base that a script writes, an answer of the server
# about itself, a module that asks the server and styles the page.
@test "a browser runs a page that asks this server, and nothing that it does is forbidden to it" {
    browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
    [ -n "$browser" ] || skip "there is no Chromium"
    mkdir -p ui/static
    cat >ui/index.html <<'HTML'
<!doctype html>
<html><head>
<script>document.currentScript.insertAdjacentHTML("afterend", '<base href="/" />');</script>
<script>
function capabilities() {
  const DEFAULT_BACKEND_CAPABILITIES = {};
  const JAEGER_BACKEND_CAPABILITIES = DEFAULT_BACKEND_CAPABILITIES;
  return JAEGER_BACKEND_CAPABILITIES;
}
</script>
</head><body><div id="root">nothing</div><script type="module" src="./static/main.js"></script></body></html>
HTML
    cat >ui/static/main.js <<'JS'
const ask = async (path) => (await fetch(path)).json();
const window_ = "query.start_time_min=2025-09-16T00:00:00Z&query.start_time_max=2025-09-17T00:00:00Z";
const { summaries } = await ask("api/v3/trace-summaries?query.num_traces=20&" + window_);
const trace = await ask("api/traces/" + summaries[0].traceId);
const root = document.getElementById("root");
root.style.color = "red";
root.textContent = [capabilities().searchWithoutServiceName, summaries.length, trace.data[0].spans[0].operationName,
  getComputedStyle(root).color].join(" | ");
JS
    serve_start --ui ui run
    otlp_json 3 >request.json
    post application/json request.json | tail -n 1 | grep -qx 200
    timeout 100 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$PWD/profile" \
        --virtual-time-budget=20000 --dump-dom "http://$QUERY/trace/1" >dom 2>log
    grep -q '>true | 3 | GET /cart | rgb(255, 0, 0)<' dom
    serve_stop
}
