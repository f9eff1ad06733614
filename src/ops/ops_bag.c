/* ops_bag.c: rows of a table summed, averaged or maximised bag by bag. */
#include "ops/op_families.h"

#include <math.h>

/* The codes of `mode`. */
enum { MODE_SUM = 0, MODE_MEAN = 1, MODE_MAX = 2 };

typedef struct tn_bags {
    tn_value *weight, *indices, *offsets;
    const tn_sym *count;  /* of bags */
    tn_value *bag;        /* i64 [N]: the bag of every index */
    tn_value *is_counted; /* bool [N], NULL: all are; false for padding */
} tn_bags;

static tn_status read_bags(tn_cv *cv, tn_bags *bags) {
    tn_kb *kb = cv->kb;
    tn_syms *syms = kb->graph->syms;
    *bags = (tn_bags){.weight = tn_cv_tensor(cv, "weight"),
                      .indices = tn_cv_tensor(cv, "indices"),
                      .offsets = tn_cv_tensor(cv, "offsets")};
    const tn_type *w = &bags->weight->type, *i = &bags->indices->type, *o = &bags->offsets->type;
    if (w->rank != 2 || i->rank != 1 || o->rank != 1 || !tn_dtype_is_float(w->dtype) ||
        !tn_dtype_is_int(i->dtype) || !tn_dtype_is_int(o->dtype))
        return tn_cv_refuse(cv,
                            "weight is %s of rank %u, indices and offsets have rank %u and %u, "
                            "accepted are floats of rank 2, and vectors of integers",
                            tn_dtype_name(w->dtype), w->rank, i->rank, o->rank);
    bool has_end = tn_cv_bool(cv, "include_last_offset");
    bags->count = tn_sym_addi(syms, o->dims[0], has_end ? -1 : 0);
    bags->indices = tn_kb_cast(kb, bags->indices, TN_I64);
    /* A bag begins where an offset points to, several at one place if some are empty. */
    tn_value *offsets = tn_kb_cast(kb, bags->offsets, TN_I64);
    const tn_sym *places = tn_sym_addi(syms, i->dims[0], 1);
    tn_value *one = tn_kb_int(kb, TN_I64, 1);
    tn_value *begins = tn_cv_scatter(cv, tn_kb_full(kb, TN_I64, 0, &places, 1), offsets,
                                     tn_cv_expand_as(cv, one, offsets), 0, "add");
    begins = tn_kb_slice(kb, begins, 0, tn_cv_size(cv, 0), i->dims[0], 1);
    tn_arg args[] = {tn_arg_value(0), tn_arg_int(kb, 0)};
    bags->bag =
        tn_kb_map2(kb, TN_PRIM_SUB, tn_kb_node(kb, TN_PRIM_CUMSUM, &begins, 1, args, 2), one);
    if (!tn_cv_is_none(cv, "padding_idx") && tn_cv_int(cv, "padding_idx") >= 0)
        bags->is_counted = tn_kb_map2(kb, TN_PRIM_NE, bags->indices,
                                      tn_kb_int(kb, TN_I64, tn_cv_int(cv, "padding_idx")));
    return NULL;
}

/* Scatters rows [N, ..] into bags that begin with `start`. */
static tn_value *gathered(tn_cv *cv, const tn_bags *bags, tn_value *rows, double start,
                          const char *reduce) {
    tn_kb *kb = cv->kb;
    const tn_sym *dims[2] = {bags->count, tn_value_size(rows, 1)};
    tn_value *y = tn_kb_full(kb, tn_value_dtype(rows), start, dims, tn_value_rank(rows));
    return tn_cv_scatter(cv, y, tn_cv_spread_index(cv, bags->bag, 0, rows), rows, 0, reduce);
}

static tn_status convert_embedding_bag(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_bags bags;
    TN_TRY(read_bags(cv, &bags));
    int64_t mode = tn_cv_int(cv, "mode");
    for (uint32_t i = 1; i < cv->node->result_count; i++)
        if (cv->node->results[i]->use_count > 0)
            return tn_cv_refuse(cv,
                                "result %u is used, accepted is the first: the others serve "
                                "the gradient",
                                i);
    tn_value *rows = tn_cv_math(cv, tn_kb_take(kb, bags.weight, bags.indices, 0));
    if (!tn_cv_is_none(cv, "per_sample_weights")) {
        tn_value *scale =
            tn_kb_cast(kb, tn_cv_tensor(cv, "per_sample_weights"), tn_value_dtype(rows));
        rows = tn_kb_map2(kb, TN_PRIM_MUL, rows, tn_kb_unsqueeze(kb, scale, 1));
    }
    double neutral = mode == MODE_MAX ? -(double)INFINITY : 0;
    const tn_sym *rows_dim = tn_value_size(bags.indices, 0);
    tn_value *count = tn_kb_full(kb, TN_I64, 1, &rows_dim, 1);
    if (bags.is_counted) {
        count = tn_kb_cast(kb, bags.is_counted, TN_I64);
        rows = tn_kb_select(kb, tn_kb_unsqueeze(kb, bags.is_counted, 1), rows,
                            tn_kb_float(kb, tn_value_dtype(rows), neutral));
    }
    tn_value *y = gathered(cv, &bags, rows, neutral, mode == MODE_MAX ? "amax" : "add");
    if (mode != MODE_SUM) { /* of an empty bag both are 0 */
        count = tn_kb_unsqueeze(kb, gathered(cv, &bags, count, 0, "add"), 1);
        tn_value *is_empty = tn_kb_map2(kb, TN_PRIM_EQ, count, tn_kb_int(kb, TN_I64, 0));
        if (mode == MODE_MEAN)
            y = tn_kb_map2(kb, TN_PRIM_DIV, y, tn_kb_cast(kb, count, tn_value_dtype(y)));
        y = tn_kb_select(kb, is_empty, tn_kb_float(kb, tn_value_dtype(y), 0), y);
    }
    tn_cv_set_result(cv, 0, tn_kb_cast(kb, y, bags.weight->type.dtype));
    for (uint32_t i = 1; i < cv->node->result_count; i++) {
        const tn_type *type = tn_cv_result_type(cv, i);
        const tn_sym *none = tn_cv_size(cv, 0);
        bool is_declared = type->dtype != TN_DTYPE_NONE;
        tn_cv_set_result(cv, i,
                         is_declared ? tn_kb_full(kb, type->dtype, 0, type->dims, type->rank)
                                     : tn_kb_full(kb, TN_I64, 0, &none, 1));
    }
    return NULL;
}

#define BAG_ARGS                                                                                   \
    "Tensor weight, Tensor indices, Tensor offsets, bool scale_grad_by_freq=False, int mode=0, "   \
    "bool sparse=False, Tensor? per_sample_weights=None, bool include_last_offset=False, int "     \
    "padding_idx=-1) -> (Tensor, Tensor, Tensor, Tensor)"
/* A first offset of 0, as PyTorch demands: here all bags but the last are empty, or bags of one. */
#define BAGS                                                                                       \
    "@results=1 rtol=1e-5 atol=1e-6\n"                                                             \
    "(f32[9,4], i64[7]{lo=0,hi=8}, i64[3]{zero})\n"                                                \
    "(f32[9,4]{nc}, i64[4]{lo=0,hi=8}, i64[4]{perm=4,sorted}, False, 1)\n"                         \
    "(f32[9,4], i64[4]{lo=0,hi=8}, i64[4]{perm=4,sorted}, False, 2)\n"                             \
    "(f32[9,4], i64[7]{lo=0,hi=8}, i64[3]{zero}, False, 1)\n"                                      \
    "(f32[9,4], i64[7]{lo=0,hi=8}, i64[3]{zero}, False, 2)\n"                                      \
    "(f32[9,4], i64[7]{lo=0,hi=8}, i64[2]{zero}, False, 0, False, f32[7])\n"                       \
    "(f32[9,4], i64[5]{lo=0,hi=8}, i64[6]{perm=6,sorted}, False, 0, False, None, True)\n"          \
    "(f32[3,2], i64[9]{lo=0,hi=2}, i64[1]{zero}, False, 1, False, None, False, 1)\n"               \
    "(f32[3,2], i64[9]{lo=0,hi=2}, i64[1]{zero}, False, 2, False, None, False, 1)\n"               \
    "(f64[1,1], i64[1]{zero}, i64[1]{zero})\n"

static const tn_op_entry entries[] = {
    {"aten::_embedding_bag(" BAG_ARGS, convert_embedding_bag, BAGS, TN_PRIM_NONE},
    {"aten::_embedding_bag_forward_only(" BAG_ARGS, convert_embedding_bag, BAGS, TN_PRIM_NONE},
    {"aten::embedding_bag.padding_idx(Tensor weight, Tensor indices, Tensor offsets, bool "
     "scale_grad_by_freq, int mode, bool sparse, Tensor? per_sample_weights, bool "
     "include_last_offset, int? padding_idx) -> (Tensor, Tensor, Tensor, Tensor)",
     convert_embedding_bag,
     "@results=1 rtol=1e-5 atol=1e-6\n"
     "(f32[9,4], i64[7]{lo=0,hi=8}, i64[3]{zero}, False, 1, False, None, False, None)\n"
     "(f32[3,2], i64[9]{lo=0,hi=2}, i64[1]{zero}, False, 2, False, None, False, 0)\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_bag = {"bag", entries, sizeof entries / sizeof *entries};
