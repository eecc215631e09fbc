/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/jaeger_api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/human.h"
#ifdef TK_HAVE_S3
#include "store/fetch.h"
#include "store/url.h"
#endif

void tk_jaeger_api_tell_limit(const struct tk_cmd *cmd, tk_str service, int64_t traces,
                              int64_t limit, const char *remedy)
{
    if (traces < limit)
        return;
    (void)fprintf(stderr,
                  "tracekit %s: service %.*s: %lld trace%s came, which is the limit: there may be "
                  "more; %s\n",
                  cmd->name, TK_STR_ARG(service), (long long)traces, tk_count_ending(traces),
                  remedy);
}

#ifdef TK_HAVE_S3

#define ANSWER_MAX ((size_t)2 << 30)
#define URL_MAX    8192
#define NAMES_MAX  ((size_t)16 << 20)

static int check_url(const char *url, const char *option, tk_str *ret_base, struct tk_err *err)
{
    tk_str base = tk_str_from(url);
    tk_str rest = base;
    while (base.n > 0 && base.p[base.n - 1] == '/')
        base.n--;
    if (!tk_str_take_prefix(&rest, TK_STR("http://")) &&
        !tk_str_take_prefix(&rest, TK_STR("https://"))) {
        return tk_fail(err, -EINVAL,
                       "option '--%s': '%s' is no address such as http://127.0.0.1:16686", option,
                       url);
    }
    rest.n = tk_str_find(rest, '/');
    if (tk_str_find(rest, '@') < rest.n) {
        return tk_fail(err, -EINVAL,
                       "option '--%s': no credentials in addresses; a token is taken from "
                       "JAEGER_TOKEN",
                       option);
    }
    *ret_base = base;
    return 0;
}

int tk_jaeger_api_init(struct tk_jaeger_api *api, const char *url, const char *option,
                       struct tk_err *err)
{
    *api = (struct tk_jaeger_api){0};
    tk_buf_init(&api->url, URL_MAX);
    tk_buf_init(&api->answer, ANSWER_MAX);
    int rc = check_url(url, option, &api->base, err);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no thread changes the environment */
    return rc < 0 ? rc : tk_fetch_new(getenv("JAEGER_TOKEN"), &api->fetch, err);
}

void tk_jaeger_api_release(struct tk_jaeger_api *api)
{
    tk_fetch_free(api->fetch);
    tk_buf_release(&api->url);
    tk_buf_release(&api->answer);
    *api = (struct tk_jaeger_api){0};
}

void tk_jaeger_api_begin(struct tk_jaeger_api *api, const char *path)
{
    tk_buf_reset(&api->url);
    tk_buf_put(&api->url, api->base);
    tk_buf_puts(&api->url, path);
}

void tk_jaeger_api_put(struct tk_jaeger_api *api, tk_str value)
{
    tk_url_put_value(&api->url, value);
}

int tk_jaeger_api_get(struct tk_jaeger_api *api, struct tk_err *err)
{
    tk_buf_putc(&api->url, '\0');
    int rc = tk_buf_check(&api->url, "URL", err);
    tk_buf_reset(&api->answer);
    return rc < 0 ? rc : tk_fetch_get(api->fetch, api->url.p, &api->answer, err);
}

int tk_jaeger_api_enter(const struct tk_jaeger_api *api, struct tk_json *json, struct tk_err *err)
{
    tk_str key;
    tk_json_init(json, tk_buf_str(&api->answer));
    int rc = tk_json_enter_object(json, err);
    while (rc == 0 && (rc = tk_json_next_key(json, NULL, &key, err)) == 0) {
        if (tk_str_eq(key, TK_STR("data")) && tk_json_peek(json) == TK_JSON_ARRAY)
            return tk_json_enter_array(json, err);
        rc = tk_json_skip(json, NULL, err);
    }
    return rc;
}

static int read_services(struct tk_jaeger_api *api, struct tk_arena *texts, struct tk_buf *names,
                         struct tk_err *err)
{
    struct tk_json json;
    tk_jaeger_api_begin(api, "/api/services");
    int rc = tk_jaeger_api_get(api, err);
    rc = rc < 0 ? rc : tk_jaeger_api_enter(api, &json, err);
    while (rc == 0 && (rc = tk_json_next_element(&json, err)) == 0) {
        tk_str name = {NULL, 0};
        rc = tk_json_read_str(&json, texts, &name, err);
        if (rc == 0) {
            tk_buf_put(names, name);
            tk_buf_putc(names, '\0');
        }
    }
    return rc < 0 ? tk_err_prefix(err, "list of services") : tk_buf_check(names, "services", err);
}

int tk_jaeger_api_services(struct tk_jaeger_api *api, struct tk_buf *names, struct tk_err *err)
{
    struct tk_arena texts = {0};
    int rc = tk_arena_init(&texts, NAMES_MAX, err);
    rc = rc < 0 ? rc : read_services(api, &texts, names, err);
    tk_arena_release(&texts);
    return rc;
}
#else
int tk_jaeger_api_init(struct tk_jaeger_api *api, const char *url, const char *option,
                       struct tk_err *err)
{
    (void)url;
    (void)option;
    *api = (struct tk_jaeger_api){0};
    return tk_fail(err, -EOPNOTSUPP, "this build has no HTTP: it was made without libcurl");
}

void tk_jaeger_api_release(struct tk_jaeger_api *api)
{
    (void)api;
}

void tk_jaeger_api_begin(struct tk_jaeger_api *api, const char *path)
{
    (void)api;
    (void)path;
}

void tk_jaeger_api_put(struct tk_jaeger_api *api, tk_str value)
{
    (void)api;
    (void)value;
}

int tk_jaeger_api_get(struct tk_jaeger_api *api, struct tk_err *err)
{
    (void)api;
    return tk_fail(err, -EOPNOTSUPP, "this build has no HTTP");
}

int tk_jaeger_api_enter(const struct tk_jaeger_api *api, struct tk_json *json, struct tk_err *err)
{
    (void)api;
    (void)json;
    return tk_fail(err, -EOPNOTSUPP, "this build has no HTTP");
}

int tk_jaeger_api_services(struct tk_jaeger_api *api, struct tk_buf *names, struct tk_err *err)
{
    (void)api;
    (void)names;
    return tk_fail(err, -EOPNOTSUPP, "this build has no HTTP");
}
#endif
