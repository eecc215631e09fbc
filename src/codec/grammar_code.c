/* SPDX-License-Identifier: Apache-2.0 */
/* The section of a grammar. Shapes are written from the top, one after the other: of each subtree
 * its runs, of a run its symbol (or the end), then which of the subtrees that are known under this
 * symbol it is, or a new one, how often it comes, and what a new one is made of. A new subtree is
 * mostly like the last one of its symbol: what that one has next is a context of all three. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "codec/grammar.h"
#include "codec/mixed.h"
#include "table/varint.h"

#define NONE       UINT32_MAX
#define INPUTS     6
#define LEAST_BITS 8 /* of contexts, by spans */
#define MOST_BITS  14
#define LOOK_AHEAD 16 /* runs of the last subtree that are searched for where this one goes on */
#define COUNT_MANY 15 /* in a nibble: the rest of the count follows */

enum kind { KIND_SYMBOL = 0, KIND_VARIANT, KIND_COUNT, KINDS };

/* A subtree that is being coded. */
struct frame {
    uint32_t symbol;
    uint32_t subtree;   /* encoder */
    uint32_t run;       /* encoder: the next of its runs */
    uint32_t count;     /* how often it comes in its parent */
    uint32_t begin;     /* decoder: of its runs in `pending` */
    uint32_t like;      /* the last subtree of its symbol; NONE */
    uint32_t like_run;  /* where it goes on as this one does */
    uint32_t before[2]; /* symbols of the last runs + 2; 1 = none */
    uint32_t last;      /* subtree of the last run by its symbol and number */
};

struct grammar_coding {
    struct tk_coder coder;
    struct tk_mixed mixed;
    struct tk_exp_models counts;
    const struct tk_forest *forest;
    struct tk_grammar *grammar;
    bool is_decoding;

    /* Of a symbol; that of the virtual root is the last one. */
    uint32_t *variants;       /* subtrees that are known */
    uint32_t *likes;          /* the last of them */
    uint32_t *numbers;        /* [subtree] among those of its symbol, from 1; 0 = not known yet */
    struct tk_map of_numbers; /* decoder: symbol and number to subtree */

    struct frame *stack;
    uint32_t depth, max_depth;
    struct tk_grammar_run *pending; /* decoder: runs of all that is on the stack */
    uint32_t pending_count;
};

static uint32_t symbol_slot(const struct grammar_coding *coding, uint32_t symbol)
{
    return symbol == TK_GRAMMAR_TOP ? coding->forest->symbol_count : symbol;
}

static unsigned bits_of(uint32_t value)
{
    return value > 0 ? 32 - (unsigned)__builtin_clz(value) : 0;
}

/* What the subtree that the frame is like has next: its symbol + 1, 0 = its end or nothing. */
static uint32_t expected_symbol(const struct grammar_coding *coding, const struct frame *frame)
{
    const struct tk_grammar *grammar = coding->grammar;
    if (frame->like == NONE || frame->like_run == grammar->subtrees[frame->like].run_end)
        return 0;
    return grammar->subtrees[grammar->runs[frame->like_run].subtree].symbol + 1;
}

/* The run was one of `symbol`: go on behind it in the subtree that the frame is like. */
static void follow(const struct grammar_coding *coding, struct frame *frame, uint32_t symbol)
{
    const struct tk_grammar *grammar = coding->grammar;
    if (frame->like == NONE)
        return;
    uint32_t end = grammar->subtrees[frame->like].run_end;
    for (uint32_t i = frame->like_run; i < end && i < frame->like_run + LOOK_AHEAD; i++) {
        if (grammar->subtrees[grammar->runs[i].subtree].symbol == symbol) {
            frame->like_run = i + 1;
            return;
        }
    }
}

/* Of a value about `symbol` in the subtree on the stack. */
static struct tk_mixed_context context_of(const struct grammar_coding *coding, enum kind kind,
                                          uint64_t symbol)
{
    const struct frame *frame = &coding->stack[coding->depth - 1];
    uint64_t above = coding->depth > 1 ? coding->stack[coding->depth - 2].symbol : NONE;
    uint64_t first = (uint64_t)kind << 4;
    uint64_t own = tk_mixed_hash(symbol, frame->symbol);
    uint64_t before = tk_mixed_hash(own, frame->before[0]);
    uint64_t expected = expected_symbol(coding, frame);
    return (struct tk_mixed_context){
        .kind = kind,
        .count = INPUTS,
        .hashes = {
            tk_mixed_hash(first, symbol),
            tk_mixed_hash(first + 1, own),
            tk_mixed_hash(first + 2, before),
            tk_mixed_hash(first + 3, tk_mixed_hash(before, frame->before[1])),
            tk_mixed_hash(first + 4, tk_mixed_hash(before, expected)),
            tk_mixed_hash(first + 5, tk_mixed_hash(tk_mixed_hash(own, frame->last), above)),
        }};
}

/* The symbol of the next run, NONE = the end. */
static uint32_t code_symbol(struct grammar_coding *coding, uint32_t symbol)
{
    struct tk_mixed_context context = context_of(coding, KIND_SYMBOL, 0);
    unsigned bits = bits_of(coding->forest->symbol_count);
    return tk_code_mixed_value(&coding->coder, &coding->mixed, &context, bits, symbol + 1) - 1;
}

/* Which subtree of the symbol: its number, 0 = a new one. */
static uint32_t code_variant(struct grammar_coding *coding, uint32_t symbol, uint32_t number)
{
    struct tk_mixed_context context = context_of(coding, KIND_VARIANT, (uint64_t)symbol + 1);
    unsigned bits = bits_of(coding->variants[symbol]);
    return tk_code_mixed_value(&coding->coder, &coding->mixed, &context, bits, number);
}

static uint32_t code_count(struct grammar_coding *coding, uint32_t symbol, uint32_t number,
                           uint32_t count)
{
    struct tk_mixed_context context = context_of(coding, KIND_COUNT, (uint64_t)symbol + 1);
    context.hashes[0] = tk_mixed_hash(context.hashes[0], number);
    uint32_t few = count - 1 < COUNT_MANY ? count - 1 : COUNT_MANY;
    few = tk_code_mixed_value(&coding->coder, &coding->mixed, &context, 4, few);
    if (few < COUNT_MANY)
        return few + 1;
    uint64_t more = tk_code_exp(&coding->coder, &coding->counts, count - 1 - COUNT_MANY);
    return more < TK_FOREST_MAX_NODES ? (uint32_t)more + COUNT_MANY + 1 : NONE;
}

/* Begin a subtree; false when the trees are deeper than the block has spans. */
static bool push(struct grammar_coding *coding, uint32_t symbol, uint32_t subtree, uint32_t count)
{
    if (coding->depth == coding->max_depth)
        return false;
    uint32_t like = coding->likes[symbol_slot(coding, symbol)];
    coding->stack[coding->depth++] = (struct frame){
        .symbol = symbol,
        .subtree = subtree,
        .run = coding->is_decoding ? 0 : coding->grammar->subtrees[subtree].run_begin,
        .count = count,
        .begin = coding->pending_count,
        .like = like,
        .like_run = like != NONE ? coding->grammar->subtrees[like].run_begin : 0,
        .before = {1, 1},
    };
    return true;
}

/* The frame has one more run. */
static bool add_run(struct grammar_coding *coding, uint32_t subtree, uint32_t count)
{
    struct frame *frame = &coding->stack[coding->depth - 1];
    uint32_t symbol = coding->grammar->subtrees[subtree].symbol;
    follow(coding, frame, symbol);
    frame->before[1] = frame->before[0];
    frame->before[0] = symbol + 2;
    frame->last = (uint32_t)tk_mixed_hash(symbol, coding->numbers[subtree]);
    if (!coding->is_decoding)
        return true;
    if (coding->pending_count == coding->grammar->max_runs)
        return false;
    coding->pending[coding->pending_count++] = (struct tk_grammar_run){subtree, count};
    return true;
}

/* Decoder: make the subtree of the frame, whose runs are all pending. */
static bool make_subtree(struct grammar_coding *coding, const struct frame *frame,
                         uint32_t *ret_subtree)
{
    struct tk_grammar *grammar = coding->grammar;
    uint32_t n = coding->pending_count - frame->begin;
    if (grammar->subtree_count == grammar->max_subtrees ||
        n > grammar->max_runs - grammar->run_count)
        return false;
    uint64_t size = frame->symbol != TK_GRAMMAR_TOP;
    for (uint32_t i = 0; i < n; i++) {
        const struct tk_grammar_run *run = &coding->pending[frame->begin + i];
        size += (uint64_t)run->count * grammar->subtrees[run->subtree].size;
        if (size > grammar->max_runs)
            return false;
        grammar->runs[grammar->run_count + i] = *run;
    }
    if (size == 0)
        return false;
    coding->pending_count = frame->begin;
    *ret_subtree = grammar->subtree_count++;
    grammar->subtrees[*ret_subtree] = (struct tk_subtree){frame->symbol, grammar->run_count,
                                                          grammar->run_count + n, (uint32_t)size};
    grammar->run_count += n;
    return true;
}

/* The subtree on the stack is complete. */
static bool pop(struct grammar_coding *coding)
{
    const struct frame frame = coding->stack[coding->depth - 1];
    uint32_t subtree = frame.subtree;
    if (coding->is_decoding && !make_subtree(coding, &frame, &subtree))
        return false;
    uint32_t slot = symbol_slot(coding, frame.symbol);
    uint32_t number = ++coding->variants[slot];
    coding->likes[slot] = subtree;
    coding->numbers[subtree] = number;
    coding->depth--;
    if (coding->is_decoding &&
        tk_map_add(&coding->of_numbers, (uint64_t)slot << 32 | number, subtree) < 0)
        return false;
    if (coding->depth > 0)
        return add_run(coding, subtree, frame.count);
    if (coding->is_decoding)
        coding->grammar->shapes[coding->grammar->shape_count++] = subtree;
    return true;
}

/* The next run of the subtree on the stack, or its end. False: damaged. */
static bool code_run(struct grammar_coding *coding)
{
    struct frame *frame = &coding->stack[coding->depth - 1];
    const struct tk_grammar *grammar = coding->grammar;
    struct tk_grammar_run run = {0};
    uint32_t symbol = NONE;
    if (!coding->is_decoding && frame->run < grammar->subtrees[frame->subtree].run_end) {
        run = grammar->runs[frame->run++];
        symbol = grammar->subtrees[run.subtree].symbol;
    }
    symbol = code_symbol(coding, symbol);
    if (symbol == NONE)
        return pop(coding);
    if (symbol >= coding->forest->symbol_count)
        return false;
    uint32_t number = coding->is_decoding ? 0 : coding->numbers[run.subtree];
    number = code_variant(coding, symbol, number);
    run.count = code_count(coding, symbol, number, run.count);
    if (run.count > grammar->max_runs)
        return false;
    if (number == 0)
        return push(coding, symbol, run.subtree, run.count);
    if (coding->is_decoding &&
        !tk_map_find(&coding->of_numbers, (uint64_t)symbol << 32 | number, &run.subtree))
        return false;
    return add_run(coding, run.subtree, run.count);
}

static bool code_shape(struct grammar_coding *coding, uint32_t subtree)
{
    bool is_good = push(coding, TK_GRAMMAR_TOP, subtree, 1);
    while (is_good && coding->depth > 0)
        is_good = code_run(coding) && !tk_coder_is_over(&coding->coder);
    return is_good;
}

static void coding_release(struct grammar_coding *coding)
{
    tk_mixed_release(&coding->mixed);
    tk_map_release(&coding->of_numbers);
    free(coding->variants);
    free(coding->likes);
    free(coding->numbers);
    free(coding->stack);
    free(coding->pending);
}

static int coding_init(struct grammar_coding *coding, struct tk_grammar *grammar,
                       const struct tk_forest *forest, uint32_t max_depth, struct tk_err *err)
{
    size_t symbols = (size_t)forest->symbol_count + 1;
    *coding = (struct grammar_coding){.grammar = grammar, .forest = forest};
    coding->max_depth = max_depth;
    coding->variants = calloc(symbols, sizeof(uint32_t));
    coding->likes = malloc(symbols * sizeof(uint32_t));
    coding->numbers = calloc((size_t)grammar->max_subtrees + 1, sizeof(uint32_t));
    coding->stack = malloc((size_t)max_depth * sizeof(*coding->stack));
    coding->pending = malloc(((size_t)grammar->max_runs + 1) * sizeof(*coding->pending));
    tk_exp_models_init(&coding->counts);
    if (!coding->variants || !coding->likes || !coding->numbers || !coding->stack ||
        !coding->pending)
        return tk_fail(err, -ENOMEM, "grammar: out of memory");
    memset(coding->likes, 0xFF, symbols * sizeof(uint32_t));
    unsigned bits = tk_mixed_bits(grammar->max_runs, LEAST_BITS, MOST_BITS);
    return tk_mixed_init(&coding->mixed, bits, KINDS, INPUTS, err);
}

int tk_grammar_encode(const struct tk_grammar *grammar, const struct tk_forest *forest,
                      struct tk_section_set *set, struct tk_err *err)
{
    struct tk_grammar own = *grammar; /* that nothing is written to */
    struct tk_buf *out = &set->bytes[TK_SECTION_GRAMMAR];
    struct grammar_coding coding;
    int rc = coding_init(&coding, &own, forest, forest->node_count + 2, err);
    tk_varint_put(out, grammar->shape_count);
    tk_coder_begin_encode(&coding.coder, out);
    for (uint32_t i = 0; rc == 0 && i < grammar->shape_count; i++)
        (void)code_shape(&coding, grammar->shapes[i]);
    tk_coder_end(&coding.coder);
    coding_release(&coding);
    return rc < 0 ? rc : tk_buf_check(out, "grammar", err);
}

int tk_grammar_decode(const struct tk_block *block, const struct tk_forest *forest,
                      struct tk_grammar *grammar, struct tk_err *err)
{
    const struct tk_section *section = tk_block_find(block, TK_SECTION_GRAMMAR);
    tk_str rest = section ? section->bytes : (tk_str){NULL, 0};
    struct grammar_coding coding;
    uint64_t count;
    if (!tk_varint_read(&rest, &count))
        return tk_fail(err, -EBADMSG, "grammar: missing or damaged");
    if (count > grammar->max_shapes)
        return tk_fail(err, -EBADMSG, "grammar: more shapes than the block has traces");
    int rc = coding_init(&coding, grammar, forest, block->head.nodes + 2, err);
    coding.is_decoding = true;
    tk_coder_begin_decode(&coding.coder, rest);
    for (uint64_t i = 0; rc == 0 && i < count; i++) {
        if (!code_shape(&coding, 0))
            rc = tk_fail(err, -EBADMSG, "grammar: bytes do not decode");
    }
    coding_release(&coding);
    return rc;
}
