/* ops_loss.c: losses, so that a model exported with its loss compiles too. */
#include "ops/op_families.h"

/* The codes of at::Reduction. */
enum { REDUCTION_NONE = 0, REDUCTION_MEAN = 1, REDUCTION_SUM = 2 };

static tn_value *number(tn_cv *cv, const tn_value *like, double value) {
    return tn_kb_float(cv->kb, tn_value_dtype(like), value);
}

static uint32_t all_dims(const tn_value *x) {
    return (1u << tn_value_rank(x)) - 1;
}

/* The loss of every element as the operator's result. */
static tn_status set_reduced(tn_cv *cv, tn_value *loss, tn_dtype dtype) {
    int64_t reduction = tn_cv_int(cv, "reduction");
    if (reduction != REDUCTION_NONE)
        loss = tn_kb_reduce(cv->kb,
                            reduction == REDUCTION_MEAN ? TN_PRIM_REDUCE_MEAN : TN_PRIM_REDUCE_SUM,
                            loss, all_dims(loss), false);
    tn_cv_set_result(cv, 0, tn_kb_cast(cv->kb, loss, dtype));
    return NULL;
}

/* ---- of two tensors ---------------------------------------------------------------------------
 */

typedef struct tn_loss {
    tn_value *x, *y; /* self and target, in the dtype that is computed in */
    tn_dtype dtype;
} tn_loss;

static tn_status loss_operands(tn_cv *cv, tn_loss *out_loss) {
    tn_promotion promotion = {0};
    tn_cv_promote(cv, &promotion, "self");
    tn_cv_promote(cv, &promotion, "target");
    out_loss->dtype = tn_promoted(&promotion);
    if (!tn_dtype_is_float(out_loss->dtype))
        return tn_cv_refuse(cv, "self and target promote to %s, accepted are floats",
                            tn_dtype_name(out_loss->dtype));
    out_loss->x = tn_cv_math(cv, tn_cv_operand(cv, "self", out_loss->dtype));
    out_loss->y = tn_cv_math(cv, tn_cv_operand(cv, "target", out_loss->dtype));
    return NULL;
}

static tn_value *distance(tn_cv *cv, const tn_loss *loss) {
    return tn_kb_map1(cv->kb, TN_PRIM_ABS, tn_kb_map2(cv->kb, TN_PRIM_SUB, loss->x, loss->y));
}

static tn_status convert_mse_loss(tn_cv *cv) {
    tn_loss loss = {0};
    TN_TRY(loss_operands(cv, &loss));
    tn_value *far = tn_kb_map2(cv->kb, TN_PRIM_SUB, loss.x, loss.y);
    return set_reduced(cv, tn_kb_map2(cv->kb, TN_PRIM_MUL, far, far), loss.dtype);
}

static tn_status convert_l1_loss(tn_cv *cv) {
    tn_loss loss = {0};
    TN_TRY(loss_operands(cv, &loss));
    return set_reduced(cv, distance(cv, &loss), loss.dtype);
}

/* square / 2 * scale below the bound, (|far| - bound / 2) * slope beyond it. */
static tn_status rounded_l1(tn_cv *cv, double bound, double scale, double slope) {
    tn_kb *kb = cv->kb;
    tn_loss loss = {0};
    TN_TRY(loss_operands(cv, &loss));
    tn_value *far = distance(cv, &loss);
    tn_value *square = tn_kb_map2(kb, TN_PRIM_MUL, tn_kb_map2(kb, TN_PRIM_MUL, far, far),
                                  number(cv, far, 0.5 * scale));
    tn_value *line =
        tn_kb_map2(kb, TN_PRIM_MUL, tn_kb_map2(kb, TN_PRIM_SUB, far, number(cv, far, 0.5 * bound)),
                   number(cv, far, slope));
    tn_value *is_near = tn_kb_map2(kb, TN_PRIM_LT, far, number(cv, far, bound));
    return set_reduced(cv, tn_kb_select(kb, is_near, square, line), loss.dtype);
}

static tn_status convert_smooth_l1_loss(tn_cv *cv) {
    double beta = tn_cv_float(cv, "beta");
    return beta == 0 ? convert_l1_loss(cv) : rounded_l1(cv, beta, 1 / beta, 1);
}

static tn_status convert_huber_loss(tn_cv *cv) {
    double delta = tn_cv_float(cv, "delta");
    return rounded_l1(cv, delta, 1, delta);
}

/* log(1 + exp(-y x)). */
static tn_status convert_soft_margin_loss(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_loss loss = {0};
    TN_TRY(loss_operands(cv, &loss));
    tn_value *power = tn_kb_map1(kb, TN_PRIM_NEG, tn_kb_map2(kb, TN_PRIM_MUL, loss.x, loss.y));
    tn_value *y = tn_kb_map1(kb, TN_PRIM_LOG1P, tn_kb_map1(kb, TN_PRIM_EXP, power));
    return set_reduced(cv, y, loss.dtype);
}

/* target (log target - self), where 0 log 0 is 0. */
static tn_status convert_kl_div(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_loss loss = {0};
    TN_TRY(loss_operands(cv, &loss));
    if (tn_cv_bool(cv, "log_target")) {
        tn_value *far = tn_kb_map2(kb, TN_PRIM_SUB, loss.y, loss.x);
        tn_value *y = tn_kb_map2(kb, TN_PRIM_MUL, tn_kb_map1(kb, TN_PRIM_EXP, loss.y), far);
        return set_reduced(cv, y, loss.dtype);
    }
    tn_value *zero = number(cv, loss.y, 0);
    tn_value *entropy = tn_kb_map2(kb, TN_PRIM_MUL, loss.y, tn_kb_map1(kb, TN_PRIM_LOG, loss.y));
    entropy = tn_kb_select(kb, tn_kb_map2(kb, TN_PRIM_EQ, loss.y, zero), zero, entropy);
    tn_value *product = tn_kb_map2(kb, TN_PRIM_MUL, loss.x, loss.y);
    return set_reduced(cv, tn_kb_map2(kb, TN_PRIM_SUB, entropy, product), loss.dtype);
}

/* ---- of probabilities -------------------------------------------------------------------------
 */

static tn_value *weighted(tn_cv *cv, tn_value *loss, tn_dtype dtype) {
    if (tn_cv_is_none(cv, "weight"))
        return loss;
    tn_value *weight = tn_cv_math(cv, tn_cv_operand(cv, "weight", dtype));
    return tn_kb_map2(cv->kb, TN_PRIM_MUL, loss, weight);
}

/* -(y log x + (1 - y) log(1 - x)), logarithms from -100. */
static tn_status convert_bce(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_loss loss = {0};
    TN_TRY(loss_operands(cv, &loss));
    tn_value *least = number(cv, loss.x, -100), *one = number(cv, loss.x, 1);
    tn_value *log_x = tn_kb_map2(kb, TN_PRIM_MAX, tn_kb_map1(kb, TN_PRIM_LOG, loss.x), least);
    tn_value *log_rest = tn_kb_map1(kb, TN_PRIM_LOG1P, tn_kb_map1(kb, TN_PRIM_NEG, loss.x));
    log_rest = tn_kb_map2(kb, TN_PRIM_MAX, log_rest, least);
    tn_value *y =
        tn_kb_map2(kb, TN_PRIM_SUB,
                   tn_kb_map2(kb, TN_PRIM_MUL, tn_kb_map2(kb, TN_PRIM_SUB, loss.y, one), log_rest),
                   tn_kb_map2(kb, TN_PRIM_MUL, loss.y, log_x));
    return set_reduced(cv, weighted(cv, y, loss.dtype), loss.dtype);
}

/* (1 - y) x + (1 + (pos_weight - 1) y) log(1 + exp(-x)), the logarithm without overflow. */
static tn_status convert_bce_with_logits(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_loss loss = {0};
    TN_TRY(loss_operands(cv, &loss));
    tn_value *one = number(cv, loss.x, 1), *minus = tn_kb_map1(kb, TN_PRIM_NEG, loss.x);
    tn_value *far = tn_kb_map1(kb, TN_PRIM_NEG, tn_kb_map1(kb, TN_PRIM_ABS, loss.x));
    tn_value *softplus =
        tn_kb_map2(kb, TN_PRIM_ADD, tn_kb_map1(kb, TN_PRIM_LOG1P, tn_kb_map1(kb, TN_PRIM_EXP, far)),
                   tn_kb_map2(kb, TN_PRIM_MAX, minus, number(cv, loss.x, 0)));
    if (!tn_cv_is_none(cv, "pos_weight")) {
        tn_value *weight = tn_cv_math(cv, tn_cv_operand(cv, "pos_weight", loss.dtype));
        weight = tn_kb_map2(kb, TN_PRIM_MUL, tn_kb_map2(kb, TN_PRIM_SUB, weight, one), loss.y);
        softplus = tn_kb_map2(kb, TN_PRIM_MUL, tn_kb_map2(kb, TN_PRIM_ADD, weight, one), softplus);
    }
    tn_value *y = tn_kb_map2(kb, TN_PRIM_MUL, tn_kb_map2(kb, TN_PRIM_SUB, one, loss.y), loss.x);
    y = tn_kb_map2(kb, TN_PRIM_ADD, y, softplus);
    return set_reduced(cv, weighted(cv, y, loss.dtype), loss.dtype);
}

/* ---- of classes -------------------------------------------------------------------------------
 */

/* x [N, C, ..] (or [C]) holds log-probabilities, target [N, ..] classes. Sets the loss, and the sum
 * of the weights that the mean divides by. */
static tn_status negative_log(tn_cv *cv, tn_value *x, tn_value *target, tn_dtype dtype,
                              tn_value **out_loss, tn_value **out_weight) {
    tn_kb *kb = cv->kb;
    uint32_t rank = tn_value_rank(x), dim = rank == 1 ? 0 : 1;
    if (rank == 0 || tn_value_rank(target) + 1 != rank || tn_value_dtype(target) != TN_I64)
        return tn_cv_refuse(cv,
                            "target is %s of rank %u and self has rank %u, accepted is i64 of "
                            "one rank less",
                            tn_dtype_name(tn_value_dtype(target)), tn_value_rank(target), rank);
    tn_value *ignored = tn_kb_int(kb, TN_I64, tn_cv_int(cv, "ignore_index"));
    tn_value *is_ignored = tn_kb_map2(kb, TN_PRIM_EQ, target, ignored);
    tn_value *safe = tn_kb_select(kb, is_ignored, tn_kb_int(kb, TN_I64, 0), target);
    tn_value *picked = tn_kb_gather(kb, x, tn_kb_unsqueeze(kb, safe, dim), dim);
    tn_value *weight = number(cv, x, 1), *zero = number(cv, x, 0);
    if (!tn_cv_is_none(cv, "weight"))
        weight =
            tn_kb_take(kb, tn_kb_cast(kb, tn_cv_tensor(cv, "weight"), tn_value_dtype(x)), safe, 0);
    weight = tn_kb_select(kb, is_ignored, zero, weight);
    tn_value *loss = tn_kb_map2(kb, TN_PRIM_MUL, tn_kb_squeeze(kb, picked, dim), weight);
    loss = tn_kb_select(kb, is_ignored, zero, tn_kb_map1(kb, TN_PRIM_NEG, loss));
    int64_t reduction = tn_cv_int(cv, "reduction");
    tn_value *total = tn_kb_reduce(kb, TN_PRIM_REDUCE_SUM, weight, all_dims(weight), false);
    if (reduction != REDUCTION_NONE)
        loss = tn_kb_reduce(kb, TN_PRIM_REDUCE_SUM, loss, all_dims(loss), false);
    if (reduction == REDUCTION_MEAN)
        loss = tn_kb_map2(kb, TN_PRIM_DIV, loss, total);
    *out_loss = tn_kb_cast(kb, loss, dtype);
    *out_weight = tn_kb_cast(kb, reduction == REDUCTION_NONE ? zero : total, dtype);
    return NULL;
}

static tn_status convert_nll_loss(tn_cv *cv) {
    tn_value *self = tn_cv_tensor(cv, "self"), *loss = NULL, *weight = NULL;
    TN_TRY(negative_log(cv, tn_cv_math(cv, self), tn_cv_tensor(cv, "target"), self->type.dtype,
                        &loss, &weight));
    tn_cv_set_result(cv, 0, loss);
    if (cv->node->result_count > 1)
        tn_cv_set_result(cv, 1, weight);
    return NULL;
}

/* Targets are classes or, in the shape of self, probabilities. */
static tn_status convert_cross_entropy_loss(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *self = tn_cv_tensor(cv, "self"), *target = tn_cv_tensor(cv, "target");
    tn_value *loss = NULL, *weight = NULL;
    uint32_t rank = self->type.rank, dim = rank == 1 ? 0 : 1;
    double smoothing = tn_cv_float(cv, "label_smoothing");
    bool is_class = tn_value_rank(target) + 1 == rank;
    if (rank == 0 || smoothing != 0 || (!is_class && !tn_cv_is_none(cv, "weight")))
        return tn_cv_refuse(cv,
                            "self has rank %u, label_smoothing is %g, target has rank %u%s; "
                            "accepted are ranks from 1, no smoothing, and weights for targets "
                            "that are classes",
                            rank, smoothing, tn_value_rank(target),
                            tn_cv_is_none(cv, "weight") ? "" : ", with weights");
    tn_value *x = tn_kb_softmax(kb, tn_cv_math(cv, self), dim, true);
    if (is_class) {
        TN_TRY(negative_log(cv, x, target, self->type.dtype, &loss, &weight));
        tn_cv_set_result(cv, 0, loss);
        return NULL;
    }
    tn_value *y = tn_kb_map2(kb, TN_PRIM_MUL, x, tn_kb_cast(kb, target, tn_value_dtype(x)));
    loss = tn_kb_map1(kb, TN_PRIM_NEG, tn_kb_reduce(kb, TN_PRIM_REDUCE_SUM, y, 1u << dim, false));
    return set_reduced(cv, loss, self->type.dtype);
}

#define PAIRS                                                                                      \
    "(f32[2,3], f32[2,3])\n"                                                                       \
    "(f32[2,3]{nc}, f32[2,3]{nan1}, 0)\n"                                                          \
    "(f32[0], f32[0], 2)\n"                                                                        \
    "(f32[1], f32[1])\n"                                                                           \
    "(f32[9]{half}, f32[9]{half,inf}, 0)\n"                                                        \
    "(f32[4,1], f32[1,5], 0)@static\n"                                                             \
    "(f64[2,3], f64[2,3], 2)\n"                                                                    \
    "(bf16[2,9], bf16[2,9], 0)\n"                                                                  \
    "(f16[2,9], f16[2,9], 0)\n"                                                                    \
    "(f32[1,2,1,2,1,2,1,2], f32[1,2,1,2,1,2,1,2])\n"
#define PROBABILITIES                                                                              \
    "(f32[2,3]{lo=0,hi=1}, f32[2,3]{lo=0,hi=1})\n"                                                 \
    "(f32[2,3]{lo=0,hi=1,nc}, f32[2,3]{lo=0,hi=1}, f32[3], 2)\n"                                   \
    "(f32[0], f32[0], None, 0)\n"                                                                  \
    "(f32[2,3]{zero}, f32[2,3]{lo=0,hi=1}, None, 0)\n"                                             \
    "(f64[9]{lo=0,hi=1}, f64[9]{lo=0,hi=1}, f64[1], 0)\n"                                          \
    "(bf16[9]{lo=0,hi=1}, bf16[9]{lo=0,hi=1}, None, 0)\n"
#define CLASSES                                                                                    \
    "(f32[4,5], i64[4]{lo=0,hi=4}, None, 1, -100)\n"                                               \
    "(f32[4,5]{nc}, i64[4]{lo=0,hi=4}, f32[5]{lo=1,hi=2}, 0, 2)\n"                                 \
    "(f32[4,5]{nan1}, i64[4]{lo=0,hi=4}, f32[5]{lo=1,hi=2}, 1, 2)\n"                               \
    "(f32[0,5], i64[0], None, 2, -100)\n"                                                          \
    "(f64[1,3], i64[1]{lo=0,hi=2}, None, 2, -100)\n"                                               \
    "(bf16[4,5], i64[4]{lo=0,hi=4}, None, 1, -100)\n"

static const tn_op_entry entries[] = {
    {"aten::mse_loss(Tensor self, Tensor target, int reduction=1) -> Tensor", convert_mse_loss,
     PAIRS, TN_PRIM_NONE},
    {"aten::l1_loss(Tensor self, Tensor target, int reduction=1) -> Tensor", convert_l1_loss, PAIRS,
     TN_PRIM_NONE},
    {"aten::smooth_l1_loss(Tensor self, Tensor target, int reduction=1, float beta=1.) -> Tensor",
     convert_smooth_l1_loss, PAIRS "(f32[9], f32[9], 0, 0.5)\n(f32[9], f32[9], 1, 0.0)\n",
     TN_PRIM_NONE},
    {"aten::huber_loss(Tensor self, Tensor target, int reduction=1, float delta=1.) -> Tensor",
     convert_huber_loss, PAIRS "(f32[9], f32[9], 0, 0.5)\n", TN_PRIM_NONE},
    {"aten::soft_margin_loss(Tensor self, Tensor target, int reduction=1) -> Tensor",
     convert_soft_margin_loss,
     "(f32[2,3], f32[2,3])\n(f32[2,3]{nc}, f32[2,3]{nan1}, 0)\n(f32[0], f32[0], 2)\n"
     "(f32[1], f32[1])\n(f64[2,3], f64[2,3], 2)\n",
     TN_PRIM_NONE},
    {"aten::kl_div(Tensor self, Tensor target, int reduction=1, *, bool log_target=False) -> "
     "Tensor",
     convert_kl_div,
     "(f32[2,3], f32[2,3]{lo=0,hi=1})\n(f32[2,3]{nc}, f32[2,3]{zero}, 0)\n(f32[0], f32[0], 2)\n"
     "(f32[2,3], f32[2,3], 2, log_target=True)\n(f64[5], f64[5]{lo=0,hi=1}, 0)\n"
     "(f32[1], f32[1]{lo=0,hi=1})\n",
     TN_PRIM_NONE},
    {"aten::binary_cross_entropy(Tensor self, Tensor target, Tensor? weight=None, int "
     "reduction=1) -> Tensor",
     convert_bce, PROBABILITIES, TN_PRIM_NONE},
    {"aten::binary_cross_entropy_with_logits(Tensor self, Tensor target, Tensor? weight=None, "
     "Tensor? pos_weight=None, int reduction=1) -> Tensor",
     convert_bce_with_logits,
     "(f32[2,3], f32[2,3]{lo=0,hi=1})\n"
     "(f32[2,3]{nc}, f32[2,3]{lo=0,hi=1}, f32[3], f32[3]{lo=1,hi=2}, 2)\n"
     "(f32[0], f32[0], None, None, 0)\n"
     "(f32[9]{lo=-200,hi=200}, f32[9]{lo=0,hi=1}, None, None, 0)\n"
     "(f64[9], f64[9]{lo=0,hi=1}, None, f64[1], 0)\n"
     "(bf16[9], bf16[9]{lo=0,hi=1}, None, None, 0)\n",
     TN_PRIM_NONE},
    {"aten::nll_loss_forward(Tensor self, Tensor target, Tensor? weight, int reduction, SymInt "
     "ignore_index) -> (Tensor output, Tensor total_weight)",
     convert_nll_loss, CLASSES "(f32[5], i64[]{lo=0,hi=4}, None, 1, -100)\n", TN_PRIM_NONE},
    {"aten::nll_loss2d_forward(Tensor self, Tensor target, Tensor? weight, int reduction, SymInt "
     "ignore_index) -> (Tensor output, Tensor total_weight)",
     convert_nll_loss,
     "(f32[2,5,3,4], i64[2,3,4]{lo=0,hi=4}, None, 1, -100)\n"
     "(f32[2,5,3,4]{nc}, i64[2,3,4]{lo=0,hi=4}, f32[5]{lo=1,hi=2}, 0, 2)\n"
     "(f64[1,2,1,1], i64[1,1,1]{lo=0,hi=1}, None, 2, -100)\n",
     TN_PRIM_NONE},
    {"aten::nll_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, SymInt "
     "ignore_index=-100) -> Tensor",
     convert_nll_loss, CLASSES, TN_PRIM_NONE},
    {"aten::nll_loss_nd(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, SymInt "
     "ignore_index=-100) -> Tensor",
     convert_nll_loss, CLASSES "(f32[2,5,3,4], i64[2,3,4]{lo=0,hi=4})\n", TN_PRIM_NONE},
    {"aten::nll_loss2d(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, SymInt "
     "ignore_index=-100) -> Tensor",
     convert_nll_loss,
     "(f32[2,5,3,4], i64[2,3,4]{lo=0,hi=4})\n(f64[1,2,1,1]{nan}, i64[1,1,1]{lo=0,hi=1}, None, 0)\n",
     TN_PRIM_NONE},
    {"aten::cross_entropy_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, "
     "SymInt ignore_index=-100, float label_smoothing=0.) -> Tensor",
     convert_cross_entropy_loss,
     CLASSES "(f32[2,5,3], i64[2,3]{lo=0,hi=4}, None, 0)\n"
             "(f32[2,5], f32[2,5]{lo=0,hi=1}, None, 2)\n"
             "(f32[5], i64[]{lo=0,hi=4})\n",
     TN_PRIM_NONE},
};

const tn_op_family tn_ops_loss = {"loss", entries, sizeof entries / sizeof *entries};
