/* SPDX-License-Identifier: Apache-2.0 */
/* tracekit fetch-jaeger: what a Jaeger server holds as files, a service each, as Gen-T's
 * download_traces_from_jaeger_for_all_services does (trace-compression.md section 15.5): the list
 * of a service's traces, then each trace whole, each once over all services. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/human.h"
#include "base/map.h"
#include "base/number.h"
#include "cmd/cmd.h"
#include "cmd/jaeger_api.h"
#include "run/out.h"

#define NAMES_MAX ((size_t)16 << 20)
#define IDS_MAX   ((size_t)256 << 20)

struct opts {
    const char *target_dir;
    const char *url;
    int64_t limit;
};

static const struct tk_opt options[] = {
    {"target-dir", TK_OPT_STRING, offsetof(struct opts, target_dir), "DIR",
     "where SERVICE.json goes for each service"},
    {"jaeger-url", TK_OPT_STRING, offsetof(struct opts, url), "URL",
     "address of the server (http://localhost:16686)", .env = "JAEGER_URL"},
    {"limit", TK_OPT_INT, offsetof(struct opts, limit), "N", "most traces of a service (10000)",
     .min = 1, .max = 1000000},
    {0},
};

struct download {
    const struct opts *opts;
    struct tk_jaeger_api api;
    struct tk_map seen; /* hash of a trace id */
    struct tk_buf ids;  /* of the service at hand that are new, each with a NUL */
    int dirfd;
    uint64_t traces, files;
};

/* The ids of the answer that no service had before, and how many traces it has in all. */
static int read_ids(struct download *download, int64_t *ret_answered, struct tk_err *err)
{
    struct tk_json json;
    tk_str key;
    int64_t answered = 0;
    int rc = tk_jaeger_api_enter(&download->api, &json, err);
    while (rc == 0 && (rc = tk_json_next_element(&json, err)) == 0) {
        answered++;
        rc = tk_json_enter_object(&json, err);
        while (rc == 0 && (rc = tk_json_next_key(&json, NULL, &key, err)) == 0) {
            char id[64];
            tk_str raw;
            uint32_t known;
            rc = tk_json_skip(&json, &raw, err);
            if (rc < 0 || !tk_str_eq(key, TK_STR("traceID")) || raw.n < 3 || raw.n > sizeof(id))
                continue;
            tk_str text = {raw.p + 1, raw.n - 2}; /* without its quotes */
            uint64_t hash = tk_hash_text(text);
            if (tk_map_find(&download->seen, hash, &known))
                continue;
            if (tk_map_add(&download->seen, hash, 1) < 0)
                return tk_fail(err, -ENOMEM, "out of memory");
            tk_buf_put(&download->ids, text);
            tk_buf_putc(&download->ids, '\0');
        }
        rc = rc < 0 ? rc : 0;
    }
    *ret_answered = answered;
    return rc < 0 ? rc : tk_buf_check(&download->ids, "ids of traces", err);
}

/* The object of each trace of the answer, as it came. */
static int put_trace(struct download *download, struct tk_out *out, bool *is_first,
                     struct tk_err *err)
{
    struct tk_json json;
    int rc = tk_jaeger_api_enter(&download->api, &json, err);
    while (rc == 0 && (rc = tk_json_next_element(&json, err)) == 0) {
        tk_str raw;
        rc = tk_json_skip(&json, &raw, err);
        if (rc < 0)
            break;
        tk_out_put(out, *is_first ? TK_STR("[") : TK_STR(",\n"));
        tk_out_put(out, raw);
        *is_first = false;
        download->traces++;
    }
    return rc < 0 ? rc : 0;
}

static int put_traces(struct download *download, struct tk_out *out, struct tk_err *err)
{
    bool is_first = true;
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < download->ids.n;) {
        tk_str id = tk_str_from(download->ids.p + at);
        at += id.n + 1;
        tk_jaeger_api_begin(&download->api, "/api/traces/");
        tk_jaeger_api_put(&download->api, id);
        rc = tk_jaeger_api_get(&download->api, err);
        if (rc == -ENOENT) { /* it has gone meanwhile */
            rc = 0;
        } else {
            rc = rc < 0 ? rc : put_trace(download, out, &is_first, err);
        }
    }
    tk_out_put(out, is_first ? TK_STR("[]\n") : TK_STR("]\n"));
    return rc;
}

/* A service may be called anything: what no file name holds becomes "_". */
static void name_file(tk_str service, char name[NAME_MAX + 1])
{
    size_t n = service.n < NAME_MAX - 8 ? service.n : NAME_MAX - 8;
    for (size_t i = 0; i < n; i++) {
        char c = service.p[i];
        name[i] = (char)(c == '/' || (unsigned char)c < ' ' || (i == 0 && c == '.') ? '_' : c);
    }
    (void)snprintf(name + n, NAME_MAX + 1 - n, ".json");
}

static int fetch_service(struct download *download, tk_str service, struct tk_err *err)
{
    struct tk_out out = TK_OUT_NONE;
    char name[NAME_MAX + 1];
    int64_t answered = 0;
    tk_buf_reset(&download->ids);
    tk_jaeger_api_begin(&download->api, "/api/traces?service=");
    tk_jaeger_api_put(&download->api, service);
    tk_buf_lit(&download->api.url, "&limit=");
    tk_buf_put_i64(&download->api.url, download->opts->limit);
    int rc = tk_jaeger_api_get(&download->api, err);
    rc = rc < 0 ? rc : read_ids(download, &answered, err);
    if (rc == 0) {
        tk_jaeger_api_tell_limit(&tk_cmd_fetch_jaeger, service, answered, download->opts->limit,
                                 "raise --limit");
    }
    if (rc == 0 && download->ids.n == 0) /* all of them came with other services */
        return 0;
    name_file(service, name);
    rc = rc < 0 ? rc : tk_out_open(&out, download->dirfd, name, NULL, err);
    rc = rc < 0 ? rc : put_traces(download, &out, err);
    rc = rc < 0 ? rc : tk_out_close(&out, err);
    tk_out_release(&out);
    download->files += rc == 0;
    return rc < 0 ? tk_err_prefix(err, "service %.*s", TK_STR_ARG(service)) : 0;
}

static int fetch_all(struct download *download, struct tk_err *err)
{
    static const char own[] = "jaeger";
    TK_CLEANUP(tk_buf_release) struct tk_buf names;
    tk_buf_init(&names, NAMES_MAX);
    int rc = tk_jaeger_api_services(&download->api, &names, err);
    rc = rc < 0 ? rc : tk_dir_make(AT_FDCWD, download->opts->target_dir, err);
    rc = rc < 0 ? rc : tk_dir_open(AT_FDCWD, download->opts->target_dir, &download->dirfd, err);
    for (size_t at = 0; rc == 0 && at < names.n;) {
        tk_str name = tk_str_from(names.p + at);
        at += name.n + 1;
        if (!memmem(name.p, name.n, own, sizeof(own) - 1))
            rc = fetch_service(download, name, err);
    }
    return rc;
}

static int run(const struct tk_cmd *cmd, int argc, char **argv)
{
    struct opts opts = {.url = "http://localhost:16686", .limit = 10000};
    struct download download = {.opts = &opts, .dirfd = -1};
    struct tk_err err;
    char traces[TK_HUMAN_MAX];
    int first = tk_cmd_begin(cmd, &opts, argc, argv);
    if (first <= 0)
        return -first;
    if (!opts.target_dir)
        return tk_cmd_usage(cmd, "option '--target-dir' is missing: where do the files go?");
    tk_buf_init(&download.ids, IDS_MAX);
    int rc = tk_jaeger_api_init(&download.api, opts.url, "jaeger-url", &err);
    int status = rc == -EINVAL || rc == -EOPNOTSUPP ? tk_cmd_usage(cmd, "%s", err.msg) : TK_EXIT_OK;
    if (rc == 0) {
        rc = fetch_all(&download, &err);
        status = rc < 0 ? tk_cmd_fail(cmd, &err) : TK_EXIT_OK;
    } else if (status == TK_EXIT_OK) {
        status = tk_cmd_fail(cmd, &err);
    }
    if (rc == 0) {
        printf("%llu file%s, %s trace%s: %s\n", (unsigned long long)download.files,
               tk_count_ending((int64_t)download.files),
               tk_count_format((int64_t)download.traces, traces),
               tk_count_ending((int64_t)download.traces), opts.target_dir);
    }
    tk_jaeger_api_release(&download.api);
    tk_map_release(&download.seen);
    tk_buf_release(&download.ids);
    tk_fd_close(&download.dirfd);
    return status;
}

const struct tk_cmd tk_cmd_fetch_jaeger = {
    .name = "fetch-jaeger",
    .args = "",
    .help = "download the traces of a Jaeger server, a file for each service",
    .about = "The files are what `tracekit translate`, `import` and `compress` read. A token\n"
             "is taken from JAEGER_TOKEN.\n"
             "\n"
             "  tracekit fetch-jaeger --target-dir raw_jaeger\n"
             "  tracekit translate --from-dir raw_jaeger",
    .options = options,
    .run = run,
};
