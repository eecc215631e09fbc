/* SPDX-License-Identifier: Apache-2.0 */
/* The object store from a shell, for tests. The store is the one that the environment names.
 *
 *     store_tool put KEY FILE | create KEY FILE | get KEY | list PREFIX | delete KEY | sweep
 *     store_tool presign METHOD KEY SECONDS
 *     store_tool sign < requests       for sigv4_oracle.py, needs no store
 *     store_tool part KEY BYTES        begin or resume an upload, send BYTES in parts, leave it
 *     store_tool finish KEY BYTES      the same, and finish it
 *
 * Counters go to stderr as "name=value" words. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/number.h"
#include "store/sigv4.h"
#include "store/store.h"
#include "store/url.h"

#define PART_BYTES ((size_t)5 << 20)

static int write_out(void *into, tk_str bytes, struct tk_err *err)
{
    (void)into;
    return tk_fd_write(STDOUT_FILENO, bytes, "stdout", err);
}

static int print_object(void *into, const struct tk_store_object *object, struct tk_err *err)
{
    (void)into;
    (void)err;
    printf("%" PRIu64 " %.*s\n", object->size_bytes, TK_STR_ARG(object->key));
    return 0;
}

/* The same bytes at each call: part n is full of the letter n. */
static int send_parts(struct tk_upload *upload, size_t bytes, struct tk_err *err)
{
    char *part = malloc(PART_BYTES);
    int rc = part ? 0 : tk_fail(err, -ENOMEM, "out of memory");
    for (size_t sent = 0; rc == 0 && sent < bytes; sent += PART_BYTES) {
        size_t n = bytes - sent < PART_BYTES ? bytes - sent : PART_BYTES;
        memset(part, (int)('a' + sent / PART_BYTES), n);
        rc = tk_upload_part(upload, tk_store_text((tk_str){part, n}), err);
    }
    free(part);
    return rc;
}

static int upload_parts(struct tk_store *store, tk_str key, const char *bytes, bool is_whole,
                        struct tk_err *err)
{
    struct tk_upload *upload;
    uint64_t n;
    if (!tk_parse_u64(tk_str_from(bytes), &n))
        return tk_fail(err, -EINVAL, "'%s' is no number of bytes", bytes);
    int rc = tk_upload_begin(store, key, TK_STORE_RESUME, &upload, err);
    if (rc < 0)
        return rc;
    rc = send_parts(upload, (size_t)n, err);
    if (rc == 0 && is_whole)
        return tk_upload_finish(upload, NULL, err);
    tk_upload_leave(upload);
    return rc;
}

static int presign(struct tk_store *store, char **args, struct tk_err *err)
{
    struct tk_buf url;
    int64_t seconds = 0;
    tk_buf_init(&url, 1 << 16);
    (void)tk_parse_i64(tk_str_from(args[2]), &seconds);
    int rc = tk_store_presign(store, args[0], tk_str_from(args[1]), seconds, &url, err);
    if (rc == 0)
        printf("%.*s\n", TK_STR_ARG(tk_buf_str(&url)));
    tk_buf_release(&url);
    return rc;
}

/* Fields of one line of requests, each "-" and hexadecimal digits. */
#define FIELDS_MAX 64

static int read_fields(const char *line, struct tk_buf *text, tk_str fields[FIELDS_MAX])
{
    size_t ends[FIELDS_MAX];
    int count = 0;
    for (const char *p = line; *p == '-' && count < FIELDS_MAX; count++) {
        unsigned byte;
        for (p++; sscanf(p, "%2x", &byte) == 1 && *p != ' '; p += 2)
            tk_buf_putc(text, (char)byte);
        ends[count] = text->n;
        p += *p == ' ';
    }
    for (int i = 0; i < count; i++) {
        size_t start = i > 0 ? ends[i - 1] : 0;
        fields[i] = (tk_str){text->p + start, ends[i] - start};
    }
    return count;
}

/* method, key, region, token, hash of the body, time, count of parameters, and names and values of
 * these and of headers. */
static int sign_fields(const tk_str *fields, int count, struct tk_err *err)
{
    struct tk_url_param params[TK_URL_PARAMS_MAX];
    struct tk_sigv4_header headers[TK_SIGV4_HEADERS_MAX];
    struct tk_buf path, query, value;
    struct tk_signer signer;
    char token[256], date[TK_TIME_MAX];
    int64_t time_s, param_count;
    if (count < 7 || !tk_parse_i64(fields[5], &time_s) || !tk_parse_i64(fields[6], &param_count) ||
        !tk_str_to_cstr(fields[3], token, sizeof(token)))
        return tk_fail(err, -EINVAL, "a request of %d fields", count);
    tk_buf_init(&path, 1 << 16);
    tk_buf_init(&query, 1 << 16);
    tk_buf_init(&value, 1 << 16);
    tk_buf_puts(&path, "/bucket/");
    tk_url_put_path(&path, fields[1]);
    for (int64_t i = 0; i < param_count; i++)
        params[i] = (struct tk_url_param){fields[7 + 2 * i], fields[8 + 2 * i]};
    tk_url_put_query(&query, params, (size_t)param_count);
    tk_time_format_compact(time_s * TK_NS_PER_S, date);
    size_t n = 0;
    headers[n++] = (struct tk_sigv4_header){TK_STR("host"), TK_STR("h:9000")};
    headers[n++] = (struct tk_sigv4_header){TK_STR("x-amz-content-sha256"), fields[4]};
    headers[n++] = (struct tk_sigv4_header){TK_STR("x-amz-date"), tk_str_from(date)};
    if (*token)
        headers[n++] = (struct tk_sigv4_header){TK_STR("x-amz-security-token"), fields[3]};
    for (int64_t i = 7 + 2 * param_count; i + 1 < count; i += 2)
        headers[n++] = (struct tk_sigv4_header){fields[i], fields[i + 1]};
    const struct tk_credentials credentials = {"testkey", "testsecret", token};
    int rc = tk_signer_init(&signer, &credentials, fields[2], err);
    const struct tk_sigv4_request request = {
        fields[0], tk_buf_str(&path), tk_buf_str(&query),  headers,
        n,         fields[4],         time_s * TK_NS_PER_S};
    if (rc == 0)
        rc = tk_sigv4_sign(&signer, &request, &value, err);
    printf("%.*s\n", TK_STR_ARG(tk_buf_str(&value)));
    tk_signer_release(&signer);
    tk_buf_release(&path);
    tk_buf_release(&query);
    tk_buf_release(&value);
    return rc;
}

static int sign_lines(struct tk_err *err)
{
    static char line[1 << 16];
    int rc = 0;
    while (rc == 0 && fgets(line, sizeof(line), stdin)) {
        tk_str fields[FIELDS_MAX];
        struct tk_buf text;
        tk_buf_init(&text, sizeof(line));
        rc = sign_fields(fields, read_fields(line, &text, fields), err);
        tk_buf_release(&text);
    }
    return rc;
}

static int run(struct tk_store *store, const char *action, int count, char **args,
               struct tk_err *err)
{
    tk_str key = tk_str_from(count > 0 ? args[0] : "");
    if (strcmp(action, "put") == 0 && count == 2)
        return tk_store_put(store, key, tk_store_file(AT_FDCWD, args[1]), 0, NULL, err);
    if (strcmp(action, "create") == 0 && count == 2)
        return tk_store_put(store, key, tk_store_file(AT_FDCWD, args[1]), TK_STORE_CREATE_ONLY,
                            NULL, err);
    if (strcmp(action, "get") == 0 && count == 1)
        return tk_store_get(store, key, NULL, (struct tk_store_sink){write_out, NULL}, err);
    if (strcmp(action, "list") == 0)
        return tk_store_list(store, key, TK_STR(""), print_object, NULL, err);
    if (strcmp(action, "delete") == 0 && count == 1)
        return tk_store_delete(store, key, err);
    if (strcmp(action, "sweep") == 0)
        return tk_store_sweep(store, &(struct tk_store_sweep){0}, err);
    if (strcmp(action, "presign") == 0 && count == 3)
        return presign(store, args, err);
    if ((strcmp(action, "part") == 0 || strcmp(action, "finish") == 0) && count == 2)
        return upload_parts(store, key, args[1], action[0] == 'f', err);
    return tk_fail(err, -EINVAL, "'%s' with %d arguments is no action", action, count);
}

int main(int argc, char **argv)
{
    struct tk_store *store;
    struct tk_err err;
    /* Tests do not wait for seconds. */
    const struct tk_store_options options = {.deadline_ns = 30 * TK_NS_PER_S,
                                             .retry_base_ns = 10 * TK_NS_PER_MS};
    if (argc == 2 && strcmp(argv[1], "sign") == 0)
        return sign_lines(&err) < 0;
    int rc = tk_store_open_default(&options, &store, &err);
    if (rc == 1)
        rc = tk_fail(&err, -EINVAL, "the environment names no store");
    if (rc < 0) {
        fprintf(stderr, "store_tool: %s\n", err.msg);
        return 1;
    }
    rc = run(store, argc > 1 ? argv[1] : "", argc > 2 ? argc - 2 : 0, argv + 2, &err);
    const struct tk_store_counters *counters = tk_store_counters(store);
    fprintf(stderr,
            "requests=%" PRIu64 " retries=%" PRIu64 " redirects=%" PRIu64 " resumed_parts=%" PRIu64
            " resumed_reads=%" PRIu64 " swept=%" PRIu64 " clock_fixes=%" PRIu64 "\n",
            counters->requests, counters->retries, counters->redirects, counters->resumed_parts,
            counters->resumed_reads, counters->swept, counters->clock_fixes);
    if (rc < 0)
        fprintf(stderr, "store_tool: %s\n", err.msg);
    tk_store_close(store);
    return rc < 0 ? 1 : 0;
}
