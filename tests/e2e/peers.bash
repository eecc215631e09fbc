# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Independent readers of what we write, by pip and npm, in a cache outside of the tree that is filled
# on first use. Without a way to get them a test skips and says why.

# peers_cache FILE...: set CACHE, the folder for what these files list.
peers_cache() {
    CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/tracekit-peers/$(cat "$@" | sha256sum | cut -c1-12)
    export CACHE
    mkdir -p "$CACHE"
}

# peers_pip REQUIREMENTS: what it lists goes to $CACHE/venv.
peers_pip() {
    if [ ! -e "$CACHE/venv.done" ]; then
        peers_alone peers_install_pip "$1" >"$BATS_FILE_TMPDIR/pip.log" 2>&1 || :
    fi
}

# peers_alone COMMAND...: while no other test fills this folder.
peers_alone() {
    (flock 9 && "$@") 9>"$CACHE/lock"
}

peers_install_pip() {
    [ -e "$CACHE/venv.done" ] ||
        { timeout 100 python3 -m venv "$CACHE/venv" &&
            timeout 100 "$CACHE/venv/bin/pip" install -q -r "$1" &&
            touch "$CACHE/venv.done"; }
}

# peers_npm FOLDER: what its package.json lists goes to $CACHE/npm.
peers_npm() {
    if [ ! -e "$CACHE/npm.done" ]; then
        peers_alone peers_install_npm "$1" >"$BATS_FILE_TMPDIR/npm.log" 2>&1 || :
    fi
}

peers_install_npm() {
    [ -e "$CACHE/npm.done" ] ||
        { mkdir -p "$CACHE/npm" && cp "$1"/package*.json "$CACHE/npm/" &&
            (cd "$CACHE/npm" && timeout 100 npm install --no-audit --no-fund) &&
            touch "$CACHE/npm.done"; }
}

# peers_want_python NAME: skip the test where it could not be had; in a pipe only this does.
peers_want_python() {
    [ -e "$CACHE/venv.done" ] || skip "$1 cannot be had: $(tail -n 1 "$BATS_FILE_TMPDIR/pip.log")"
}

# peers_python NAME SCRIPT [ARG...]: run it where NAME, for which the cache is, could be had.
peers_python() {
    peers_want_python "$1"
    "$CACHE/venv/bin/python" "${@:2}"
}

# peers_want_node NAME and peers_node NAME SCRIPT [ARG...]: likewise.
peers_want_node() {
    [ -e "$CACHE/npm.done" ] || skip "$1 cannot be had: $(tail -n 1 "$BATS_FILE_TMPDIR/npm.log")"
}

peers_node() {
    peers_want_node "$1"
    TK_PEERS=$CACHE/npm node "${@:2}"
}

# peers_promtool: set PROMTOOL, out of Debian's package, which would also start a server, in a cache.
peers_promtool() {
    PROMTOOL=$(command -v promtool) && return
    cache=${XDG_CACHE_HOME:-$HOME/.cache}/tracekit-peers/promtool
    PROMTOOL=$cache/usr/bin/promtool
    [ -x "$PROMTOOL" ] && return
    mkdir -p "$cache"
    (cd "$BATS_TEST_TMPDIR" && timeout 60 apt-get -q download prometheus && dpkg-deb -x prometheus_*.deb x) \
        >"$BATS_TEST_TMPDIR/log" 2>&1 || skip "promtool cannot be had: $(tail -n 1 "$BATS_TEST_TMPDIR/log")"
    mkdir -p "$cache/usr/bin" && mv "$BATS_TEST_TMPDIR/x/usr/bin/promtool" "$PROMTOOL"
}
