/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "cmd/fidelity.h"

int tk_fidelity_words_init(const struct tk_opt_list *list, struct tk_fidelity_words *ret_words,
                           struct tk_err *err)
{
    struct tk_fidelity_words words = {0};
    size_t bytes = 1;
    for (size_t i = 0; i < list->count; i++)
        bytes += strlen(list->items[i]) + 1;
    words.text = calloc(bytes, 1);
    words.items = calloc(bytes, sizeof(*words.items));
    if (!words.text || !words.items) {
        tk_fidelity_words_release(&words);
        return tk_fail(err, -ENOMEM, "out of memory");
    }
    char *to = words.text;
    for (size_t i = 0; i < list->count; i++) {
        tk_str rest = tk_str_from(list->items[i]);
        tk_str word;
        while (tk_str_take_until(&rest, ',', &word)) {
            if (word.n == 0)
                continue;
            memcpy(to, word.p, word.n);
            words.items[words.count++] = to;
            to += word.n + 1;
        }
    }
    *ret_words = words;
    return 0;
}

void tk_fidelity_words_release(struct tk_fidelity_words *words)
{
    free(words->text);
    free(words->items);
    *words = (struct tk_fidelity_words){0};
}

static int find_param(tk_str name, enum tk_query_param *ret_param, struct tk_err *err)
{
    char text[32];
    for (size_t i = 0; i < TK_PARAM_COUNT; i++) {
        if (tk_str_eq(name, tk_str_from(tk_query_param_names[i]))) {
            *ret_param = (enum tk_query_param)i;
            return 0;
        }
    }
    const char *meant = tk_str_to_cstr(name, text, sizeof(text))
                            ? tk_nearest_find(text, tk_query_param_names, TK_PARAM_COUNT)
                            : NULL;
    return tk_fail(err, -EINVAL, "option '--param': '%.*s' is no parameter of a query%s%s%s",
                   TK_STR_ARG(name), meant ? ": did you mean '" : "", meant ? meant : "",
                   meant ? "'?" : "");
}

/* "NAME=VALUE,VALUE": the values of one parameter. */
static int add_param(struct tk_fidelity_params *params, tk_str text, struct tk_err *err)
{
    tk_str name;
    tk_str value;
    enum tk_query_param param = TK_PARAM_ENTRY;
    if (tk_str_find(text, '=') == text.n || !tk_str_take_until(&text, '=', &name))
        return tk_fail(err, -EINVAL, "option '--param': expected NAME=VALUE[,VALUE...]");
    int rc = find_param(name, &param, err);
    if (rc < 0)
        return rc;
    if (params->values[param])
        return tk_fail(err, -EINVAL, "option '--param': %.*s comes twice", TK_STR_ARG(name));
    tk_str *values = calloc(text.n + 1, sizeof(*values));
    if (!values)
        return tk_fail(err, -ENOMEM, "out of memory");
    size_t count = 0;
    while (tk_str_take_until(&text, ',', &value))
        values[count++] = value;
    params->values[param] = values;
    params->items[params->count++] = (struct tk_param_values){param, values, count};
    return 0;
}

int tk_fidelity_params_init(const struct tk_opt_list *list, struct tk_fidelity_params *ret_params,
                            struct tk_err *err)
{
    *ret_params = (struct tk_fidelity_params){0};
    int rc = 0;
    for (size_t i = 0; i < list->count && rc == 0; i++)
        rc = add_param(ret_params, tk_str_from(list->items[i]), err);
    return rc;
}

void tk_fidelity_params_release(struct tk_fidelity_params *params)
{
    for (size_t i = 0; i < TK_PARAM_COUNT; i++)
        free(params->values[i]);
    *params = (struct tk_fidelity_params){0};
}
