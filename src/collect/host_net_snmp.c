/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/net/snmp and /proc/net/netstat: pairs of lines with the same prefix, names and values:
 *
 *     Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ... RetransSegs InErrs OutRsts
 *     Tcp: 1 200 120000 -1 ... 0 0 21
 */
#include <errno.h>

#include "collect/host_sources.h"
#include "collect/kernel_text.h"

/* The value under `name` in the pair of lines that start with `prefix`. */
static int find_value(tk_str text, tk_str prefix, tk_str name, int64_t *ret, struct tk_err *err)
{
    tk_str names;
    tk_str values;
    do {
        if (!tk_str_take_line(&text, &names))
            return tk_fail(err, -EBADMSG, "no line \"%.*s\"", TK_STR_ARG(prefix));
    } while (!tk_str_take_prefix(&names, prefix));
    if (!tk_str_take_line(&text, &values) || !tk_str_take_prefix(&values, prefix))
        return tk_fail(err, -EBADMSG, "names but no values for \"%.*s\"", TK_STR_ARG(prefix));

    tk_str word;
    tk_str value;
    while (tk_str_take_word(&names, &word)) {
        if (!tk_str_take_word(&values, &value)) {
            return tk_fail(err, -EBADMSG, "fewer values than names for \"%.*s\"",
                           TK_STR_ARG(prefix));
        }
        if (!tk_str_eq(word, name))
            continue;
        if (!tk_scan_counter(&value, ret))
            return tk_fail(err, -EBADMSG, "%.*s is not a number", TK_STR_ARG(name));
        return 0;
    }
    return tk_fail(err, -EBADMSG, "no %.*s", TK_STR_ARG(name));
}

int tk_host_net_snmp_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                           struct tk_err *err)
{
    (void)index;
    struct tk_err ignored;
    if (find_value(text, TK_STR("Tcp:"), TK_STR("OutSegs"), &reading->tcp_segments, &ignored) < 0)
        reading->tcp_segments = TK_HOST_ABSENT;
    return find_value(text, TK_STR("Tcp:"), TK_STR("RetransSegs"), &reading->tcp_retrans, err);
}

/* Connections refused because the accept queue of a listener was full, or for another lack. */
int tk_host_net_netstat_parse(tk_str text, size_t index, struct tk_host_reading *reading,
                              struct tk_err *err)
{
    (void)index;
    return find_value(text, TK_STR("TcpExt:"), TK_STR("ListenDrops"), &reading->tcp_listen_drops,
                      err);
}
