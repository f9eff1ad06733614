/* ops_einsum.c: torch.einsum as products of two operands at a time, from the left.
 *
 * Every label gets a dim of one common order: those of the result first, in the result's order,
 * then those that are summed. Operands are permuted to it, with size 1 where they lack a label. A
 * product of two splits the labels into: in both and kept (batch), only in the left, only in the
 * right, in both and last seen here (summed); each group becomes one dim of a batched matrix
 * product.
 */
#include "ops/op_families.h"

enum {
    LABELS_MAX = 24,
    ELLIPSIS_FIRST = 52
}; /* labels: a-z 0.., A-Z 26.., dims of "..." from 52 */

/* One operand: its dims stand for these labels. */
typedef struct tn_term {
    tn_value *value;
    uint32_t rank;
    int labels[TN_MAX_RANK];
} tn_term;

static int label_of(char c) {
    if (c >= 'a' && c <= 'z')
        return c - 'a';
    return c >= 'A' && c <= 'Z' ? c - 'A' + 26 : -1;
}

static bool has_label(const tn_term *term, int label) {
    for (uint32_t d = 0; d < term->rank; d++)
        if (term->labels[d] == label)
            return true;
    return false;
}

static tn_status refuse(const tn_cv *cv, tn_str equation, const char *why) {
    return tn_cv_refuse(cv, "equation \"%.*s\": %s", TN_STR_ARG(equation), why);
}

/* Reads one term of the equation; ellipsis_rank dims stand for "...". */
static tn_status parse_term(const tn_cv *cv, tn_str equation, tn_str text, uint32_t ellipsis_rank,
                            tn_term *out_term) {
    out_term->rank = 0;
    for (size_t i = 0; i < text.len; i++) {
        bool is_ellipsis = text.data[i] == '.';
        if (text.data[i] == ' ')
            continue;
        if (is_ellipsis && (text.len - i < 3 || text.data[i + 1] != '.' || text.data[i + 2] != '.'))
            return refuse(cv, equation, "accepted are letters and one ...");
        uint32_t count = is_ellipsis ? ellipsis_rank : 1;
        for (uint32_t e = 0; e < count; e++) {
            int label = is_ellipsis ? ELLIPSIS_FIRST + (int)e : label_of(text.data[i]);
            if (label < 0)
                return refuse(cv, equation, "accepted are letters and one ...");
            if (out_term->rank == TN_MAX_RANK)
                return refuse(cv, equation, "a term has too many labels, accepted are up to 8");
            if (has_label(out_term, label))
                return refuse(cv, equation, "a label stands twice in a term, accepted is once");
            out_term->labels[out_term->rank++] = label;
        }
        i += is_ellipsis ? 2 : 0;
    }
    return NULL;
}

/* How many dims "..." stands for in this operand. */
static uint32_t ellipsis_rank_of(tn_str text, uint32_t rank) {
    uint32_t letters = 0;
    bool has_ellipsis = false;
    for (size_t i = 0; i < text.len; i++) {
        letters += label_of(text.data[i]) >= 0;
        has_ellipsis = has_ellipsis || text.data[i] == '.';
    }
    return has_ellipsis && rank > letters ? rank - letters : 0;
}

/* Without "->": the ellipsis, then the labels that stand once, in alphabetical order. */
static void implied_result(const tn_term *terms, uint32_t count, uint32_t ellipsis_rank,
                           tn_term *out_result) {
    out_result->rank = 0;
    for (uint32_t e = 0; e < ellipsis_rank; e++)
        out_result->labels[out_result->rank++] = ELLIPSIS_FIRST + (int)e;
    for (int i = 0; i < ELLIPSIS_FIRST; i++) {
        int label = (i + 26) % ELLIPSIS_FIRST; /* capitals first, as in ASCII */
        uint32_t uses = 0;
        for (uint32_t t = 0; t < count; t++)
            uses += has_label(&terms[t], label);
        if (uses == 1 && out_result->rank < TN_MAX_RANK)
            out_result->labels[out_result->rank++] = label;
    }
}

static uint32_t dim_of(const tn_term *term, int label) {
    for (uint32_t d = 0; d < term->rank; d++)
        if (term->labels[d] == label)
            return d;
    return term->rank;
}

/* Sums over the labels that neither a later term nor the result has. */
static void sum_unused(tn_cv *cv, tn_term *term, const tn_term *later, uint32_t later_count,
                       const tn_term *other) {
    uint32_t mask = 0, rank = 0;
    int labels[TN_MAX_RANK];
    for (uint32_t d = 0; d < term->rank; d++) {
        bool is_used = other && has_label(other, term->labels[d]);
        for (uint32_t t = 0; t < later_count; t++)
            is_used = is_used || has_label(&later[t], term->labels[d]);
        if (is_used)
            labels[rank++] = term->labels[d];
        else
            mask |= 1u << d;
    }
    if (mask == 0)
        return;
    tn_dtype dtype = tn_value_dtype(term->value);
    tn_value *sum = tn_kb_reduce(cv->kb, TN_PRIM_REDUCE_SUM, term->value, mask, false);
    *term = (tn_term){.value = tn_kb_cast(cv->kb, sum, dtype), .rank = rank};
    for (uint32_t d = 0; d < rank; d++)
        term->labels[d] = labels[d];
}

/* A group of labels of a term, and their joint size. */
typedef struct tn_group {
    uint32_t count;
    int labels[TN_MAX_RANK];
} tn_group;

static const tn_sym *group_size(tn_cv *cv, const tn_term *term, const tn_group *group) {
    const tn_sym *size = tn_cv_size(cv, 1);
    for (uint32_t i = 0; i < group->count; i++)
        size = tn_sym_mul(cv->kb->graph->syms, size,
                          tn_value_size(term->value, dim_of(term, group->labels[i])));
    return size;
}

/* The term as a tensor of rank 3, one dim per group. */
static tn_value *as_matrices(tn_cv *cv, const tn_term *term, const tn_group *const groups[3]) {
    uint32_t order[TN_MAX_RANK], next = 0;
    const tn_sym *dims[3];
    for (uint32_t g = 0; g < 3; g++) {
        dims[g] = group_size(cv, term, groups[g]);
        for (uint32_t i = 0; i < groups[g]->count; i++)
            order[next++] = dim_of(term, groups[g]->labels[i]);
    }
    return tn_kb_reshape(cv->kb, tn_kb_permute(cv->kb, term->value, order), dims, 3);
}

static void add_label(tn_group *group, int label) {
    group->labels[group->count++] = label;
}

/* a becomes the product of a and b; later terms and the result tell which labels stay. */
static tn_status multiply(tn_cv *cv, tn_str equation, tn_term *a, tn_term *b, const tn_term *later,
                          uint32_t later_count) {
    tn_group batch = {0}, left = {0}, right = {0}, summed = {0};
    sum_unused(cv, a, later, later_count, b);
    sum_unused(cv, b, later, later_count, a);
    for (uint32_t d = 0; d < a->rank; d++) {
        bool is_kept = false;
        for (uint32_t t = 0; t < later_count; t++)
            is_kept = is_kept || has_label(&later[t], a->labels[d]);
        if (!has_label(b, a->labels[d]))
            add_label(&left, a->labels[d]);
        else
            add_label(is_kept ? &batch : &summed, a->labels[d]);
    }
    for (uint32_t d = 0; d < b->rank; d++)
        if (!has_label(a, b->labels[d]))
            add_label(&right, b->labels[d]);
    uint32_t rank = batch.count + left.count + right.count, next = 0;
    if (rank > TN_MAX_RANK)
        return refuse(cv, equation, "a product has more than 8 dims, accepted are up to 8");
    tn_value *m =
        tn_kb_matmul(cv->kb, as_matrices(cv, a, (const tn_group *[]){&batch, &left, &summed}),
                     as_matrices(cv, b, (const tn_group *[]){&batch, &summed, &right}), NULL);
    const tn_group *const kept[3] = {&batch, &left, &right};
    const tn_sym *dims[TN_MAX_RANK];
    tn_term product = {.rank = rank};
    for (uint32_t g = 0; g < 3; g++) {
        const tn_term *source = g < 2 ? a : b;
        for (uint32_t i = 0; i < kept[g]->count; i++) {
            product.labels[next] = kept[g]->labels[i];
            dims[next++] = tn_value_size(source->value, dim_of(source, kept[g]->labels[i]));
        }
    }
    product.value = tn_kb_reshape(cv->kb, m, dims, rank);
    *a = product;
    return NULL;
}

/* Splits the equation into terms, matched with their operands; the result's term goes last. */
static tn_status read_terms(tn_cv *cv, tn_str equation, tn_value *const *operands, uint32_t count,
                            tn_term *terms) {
    size_t arrow = 0;
    while (arrow + 1 < equation.len &&
           (equation.data[arrow] != '-' || equation.data[arrow + 1] != '>'))
        arrow++;
    bool has_arrow = arrow + 1 < equation.len;
    tn_str left = {equation.data, has_arrow ? arrow : equation.len}, rest = left, text;
    uint32_t ellipsis_rank = 0;
    for (uint32_t t = 0; t < count; t++) {
        rest = tn_str_split(rest, ',', &text);
        uint32_t own = ellipsis_rank_of(text, operands[t]->type.rank);
        if (t > 0 && own && ellipsis_rank && own != ellipsis_rank)
            return refuse(cv, equation, "... stands for several ranks, accepted is one");
        ellipsis_rank = own ? own : ellipsis_rank;
        TN_TRY(parse_term(cv, equation, text, own, &terms[t]));
        terms[t].value = operands[t];
        if (terms[t].rank != operands[t]->type.rank)
            return refuse(cv, equation,
                          "a term has another rank than its operand, accepted is the same");
    }
    if (rest.len)
        return refuse(cv, equation, "there are more terms than operands, accepted are as many");
    if (has_arrow)
        return parse_term(cv, equation,
                          (tn_str){equation.data + arrow + 2, equation.len - arrow - 2},
                          ellipsis_rank, &terms[count]);
    implied_result(terms, count, ellipsis_rank, &terms[count]);
    return NULL;
}

static tn_status convert_einsum(tn_cv *cv) {
    tn_str equation = tn_cv_str(cv, "equation");
    tn_value *const *operands;
    uint32_t count = tn_cv_tensors(cv, "tensors", &operands), order[TN_MAX_RANK];
    tn_term terms[LABELS_MAX + 1] = {{0}};
    if (count == 0 || count > LABELS_MAX)
        return tn_cv_refuse(cv, "%u tensors, accepted are 1 to %d", count, LABELS_MAX);
    for (uint32_t t = 0; t < count; t++)
        if (operands[t]->type.dtype != operands[0]->type.dtype ||
            operands[t]->type.dtype == TN_BOOL)
            return tn_cv_refuse(cv, "tensors are %s and %s, accepted is one dtype of numbers",
                                tn_dtype_name(operands[0]->type.dtype),
                                tn_dtype_name(operands[t]->type.dtype));
    TN_TRY(read_terms(cv, equation, operands, count, terms));
    for (uint32_t t = 1; t < count; t++)
        TN_TRY(multiply(cv, equation, &terms[0], &terms[t], &terms[t + 1], count - t));
    sum_unused(cv, &terms[0], &terms[count], 1, NULL);
    if (terms[0].rank != terms[count].rank)
        return refuse(cv, equation,
                      "the result has a label that no term has, accepted are labels of terms");
    for (uint32_t d = 0; d < terms[count].rank; d++) {
        order[d] = dim_of(&terms[0], terms[count].labels[d]);
        if (order[d] == terms[0].rank)
            return refuse(cv, equation,
                          "the result has a label that no term has, accepted are labels of terms");
    }
    tn_cv_set_result(cv, 0, tn_kb_permute(cv->kb, terms[0].value, order));
    return NULL;
}

static const tn_op_entry entries[] = {
    {"aten::einsum(str equation, Tensor[] tensors, *, int[]? path=None) -> Tensor", convert_einsum,
     /* Sums of many products: the order of the sum differs from PyTorch's. */
     "@rtol=1e-5 atol=1e-5\n"
     "('ij,jk->ik', [f32[2,3], f32[3,4]])\n"
     "('bij,bjk->bik', [f32[2,3,4]{nc}, f32[2,4,5]])\n"
     "('bhid,bhjd->bhij', [f32[2,3,4,5], f32[2,3,6,5]])\n"
     "('i,j->ij', [f32[3]{nan}, f32[4]])\n"
     "('i,i->', [f32[3], f32[3]])\n"
     "('ij->ji', [f32[2,3]])\n"
     "('ij->i', [f32[2,3]])\n"
     "('ij->', [f32[2,3]])\n"
     "('ij,jk', [f32[2,3], f32[3,4]])\n"
     "('bnqd,bmd->bqnm', [f32[2,3,4,5], f32[2,6,5]])\n"
     "('...ij,...jk->...ik', [f32[2,2,3,4], f32[2,2,4,5]])\n"
     "('...d,d->...', [f32[2,3,4], f32[4]])\n"
     "('ab,bc,cd->ad', [f32[2,3], f32[3,4], f32[4,5]])\n"
     "('ijk,ilk->jl', [f32[2,3,4], f32[2,5,4]])\n"
     "('ij,ij->ij', [f32[2,3], f32[2,3]])\n"
     "('ij,kj->k', [f32[2,3], f32[4,3]])\n"
     "('ij, jk -> ik', [f32[0,3], f32[3,4]])\n"
     "('ij,jk->ik', [bf16[2,3], bf16[3,4]])\n"
     "('ij,jk->ik', [f64[1,1], f64[1,1]])\n"
     "('ij,jk->ik', [i64[2,3], i64[3,4]])\n"
     "('abcdefgh->hgfedcba', [f32[1,2,1,2,1,2,1,2]])\n"
     "('bi,io->bo', [f32[B=2,3], f32[3,4]])\n"
     "('Ab,bC', [f32[2,3], f32[3,4]])\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_einsum = {"einsum", entries, sizeof entries / sizeof *entries};
