/* ops_recurrent.c: LSTM, GRU and plain recurrent networks. A layer is one product for the input's
 * part of all gates at all times, which is where the work is, and one primitive that walks along
 * time: any length is served, and symbolic ones too. */
#include "ops/op_families.h"

enum { MOST_LAYERS = 64 };

typedef struct tn_rnn {
    const char *cell;
    bool is_lstm, has_biases, is_bidirectional;
    uint32_t layers;
    tn_value *const *params; /* per layer and direction: w_ih, w_hh, and b_ih, b_hh */
    tn_value *h, *c;         /* [layers * directions, N, H]; c for an lstm */
} tn_rnn;

/* x w^T + bias. */
static tn_value *project(tn_cv *cv, tn_value *x, tn_value *w, tn_value *bias) {
    return tn_kb_matmul(cv->kb, x, tn_kb_transpose(cv->kb, w, 0, 1), bias);
}

/* One direction of one layer: [T, N, H], and the last c of an lstm. The hidden state's bias joins
 * the input's, but for a gru, where the reset gate stands between the two. */
static tn_value *run_cell(tn_cv *cv, const char *cell, tn_value *x, tn_value *const *params,
                          bool has_biases, tn_value *h, tn_value *c, bool is_reversed,
                          tn_value **out_last) {
    tn_kb *kb = cv->kb;
    bool is_gru = tn_str_is(tn_str_of(cell), "gru");
    tn_value *bias = has_biases ? params[2] : NULL, *hidden_bias = NULL;
    if (has_biases && is_gru)
        hidden_bias = params[3];
    else if (has_biases)
        bias = tn_kb_map2(kb, TN_PRIM_ADD, params[2], params[3]);
    tn_value *operands[5] = {project(cv, x, params[0], bias), tn_kb_transpose(kb, params[1], 0, 1),
                             h};
    uint32_t count = 3;
    tn_arg none = {.kind = TN_ARG_NONE}, bias_arg = none, c_arg = none;
    if (hidden_bias) {
        bias_arg = tn_arg_value(count);
        operands[count++] = hidden_bias;
    }
    if (c) {
        c_arg = tn_arg_value(count);
        operands[count++] = c;
    }
    tn_arg args[] = {tn_arg_value(0),  tn_arg_value(1),         bias_arg, tn_arg_value(2), c_arg,
                     tn_arg_str(cell), tn_arg_bool(is_reversed)};
    tn_value *y = tn_kb_node(kb, TN_PRIM_RECURRENT, operands, count, args, 7);
    *out_last = y ? y->def->results[1] : NULL;
    return y;
}

/* [N, H] of a stack of states. */
static tn_value *state_at(tn_cv *cv, tn_value *states, uint32_t i) {
    if (!states)
        return NULL;
    tn_value *y = tn_kb_slice(cv->kb, states, 0, tn_cv_size(cv, i), tn_cv_size(cv, 1), 1);
    return tn_kb_squeeze(cv->kb, y, 0);
}

/* All layers over x [T, N, I]: the last one's [T, N, directions * H]; the final states of each,
 * with a leading 1, go into out_h and out_c. */
static tn_value *run_layers(tn_cv *cv, const tn_rnn *rnn, tn_value *x, tn_value **out_h,
                            tn_value **out_c) {
    tn_kb *kb = cv->kb;
    uint32_t directions = rnn->is_bidirectional ? 2 : 1;
    for (uint32_t layer = 0; layer < rnn->layers; layer++) {
        tn_value *both[2] = {NULL, NULL};
        for (uint32_t d = 0; d < directions; d++) {
            uint32_t i = layer * directions + d;
            tn_value *last = NULL;
            both[d] = run_cell(cv, rnn->cell, x, rnn->params + i * (rnn->has_biases ? 4 : 2),
                               rnn->has_biases, state_at(cv, rnn->h, i), state_at(cv, rnn->c, i),
                               d == 1, &last);
            last = tn_kb_unsqueeze(kb, last, 0);
            out_c[i] = last;
            out_h[i] = last;
            if (rnn->is_lstm && both[d]) { /* the last output is the last h */
                const tn_sym *end = tn_sym_addi(kb->graph->syms, both[d]->type.dims[0], -1);
                out_h[i] = tn_kb_slice(kb, both[d], 0, d == 1 ? tn_cv_size(cv, 0) : end,
                                       tn_cv_size(cv, 1), 1);
            }
        }
        x = directions == 2 ? tn_kb_concat(kb, both, 2, 2) : both[0];
    }
    return x;
}

static tn_status check_rnn(tn_cv *cv, const tn_rnn *rnn, const tn_value *x, uint32_t param_count) {
    uint32_t directions = rnn->is_bidirectional ? 2 : 1, each = rnn->has_biases ? 4 : 2;
    const tn_value *h = rnn->h;
    if (!h || x->type.rank != 3 || h->type.rank != 3 || !tn_dtype_is_float(x->type.dtype))
        return tn_cv_refuse(cv,
                            "input is %s of rank %u and hx has rank %u, accepted are floats of "
                            "rank 3",
                            tn_dtype_name(x->type.dtype), x->type.rank, tn_value_rank(h));
    if (rnn->layers == 0 || rnn->layers > MOST_LAYERS ||
        param_count != rnn->layers * directions * each)
        return tn_cv_refuse(cv,
                            "there are %u weights for %u layers, accepted are 1 to %d layers "
                            "and %u weights for each direction of each, without projections",
                            param_count, rnn->layers, MOST_LAYERS, each);
    if (tn_cv_bool(cv, "train") && tn_cv_float(cv, "dropout") != 0)
        return tn_cv_refuse(cv, "dropout is %g in training, accepted is none",
                            tn_cv_float(cv, "dropout"));
    return NULL;
}

/* The entry's prim tells the cell: sigmoid for lstm, select for gru, tanh, relu. */
static const char *cell_name(const tn_cv *cv) {
    tn_prim prim = tn_cv_prim(cv);
    return prim == TN_PRIM_SIGMOID  ? "lstm"
           : prim == TN_PRIM_SELECT ? "gru"
           : prim == TN_PRIM_TANH   ? "tanh"
                                    : "relu";
}

static tn_status convert_rnn(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_rnn rnn = {.cell = cell_name(cv),
                  .is_lstm = tn_cv_prim(cv) == TN_PRIM_SIGMOID,
                  .has_biases = tn_cv_bool(cv, "has_biases"),
                  .is_bidirectional = tn_cv_bool(cv, "bidirectional"),
                  .layers = (uint32_t)tn_cv_int(cv, "num_layers")};
    tn_value *x = tn_cv_tensor(cv, "input"), *const * states;
    uint32_t param_count = tn_cv_tensors(cv, "params", &rnn.params);
    if (!rnn.is_lstm) {
        rnn.h = tn_cv_tensor(cv, "hx");
    } else if (tn_cv_tensors(cv, "hx", &states) == 2) {
        rnn.h = states[0];
        rnn.c = states[1];
    }
    TN_TRY(check_rnn(cv, &rnn, x, param_count));
    bool is_batch_first = tn_cv_bool(cv, "batch_first");
    tn_value *h[2 * MOST_LAYERS], *c[2 * MOST_LAYERS];
    x = is_batch_first ? tn_kb_transpose(kb, x, 0, 1) : x;
    tn_value *y = run_layers(cv, &rnn, x, h, c);
    uint32_t count = rnn.layers * (rnn.is_bidirectional ? 2 : 1);
    tn_cv_set_result(cv, 0, is_batch_first ? tn_kb_transpose(kb, y, 0, 1) : y);
    tn_cv_set_result(cv, 1, tn_kb_concat(kb, h, count, 0));
    if (rnn.is_lstm)
        tn_cv_set_result(cv, 2, tn_kb_concat(kb, c, count, 0));
    return NULL;
}

/* One step: input [N, I], states [N, H]. */
static tn_status convert_cell(tn_cv *cv) {
    tn_kb *kb = cv->kb;
    tn_value *x = tn_cv_tensor(cv, "input"), *const * states, *h, *c = NULL, *last = NULL;
    bool is_lstm = tn_cv_prim(cv) == TN_PRIM_SIGMOID;
    if (is_lstm) {
        uint32_t count = tn_cv_tensors(cv, "hx", &states);
        h = count == 2 ? states[0] : NULL;
        c = count == 2 ? states[1] : NULL;
    } else {
        h = tn_cv_tensor(cv, "hx");
    }
    tn_value *params[4] = {tn_cv_tensor(cv, "w_ih"), tn_cv_tensor(cv, "w_hh"),
                           tn_cv_tensor(cv, "b_ih"), tn_cv_tensor(cv, "b_hh")};
    if (!h || x->type.rank != 2 || h->type.rank != 2 || !tn_dtype_is_float(x->type.dtype) ||
        !params[2] != !params[3])
        return tn_cv_refuse(cv,
                            "input is %s of rank %u and hx has rank %u, accepted are floats of "
                            "rank 2, and two biases or none",
                            tn_dtype_name(x->type.dtype), x->type.rank, tn_value_rank(h));
    tn_value *y = run_cell(cv, cell_name(cv), tn_kb_unsqueeze(kb, x, 0), params, params[2] != NULL,
                           h, c, false, &last);
    tn_cv_set_result(cv, 0, tn_kb_squeeze(kb, y, 0));
    if (is_lstm)
        tn_cv_set_result(cv, 1, last);
    return NULL;
}

/* Sums of many terms in another order. */
#define NEAR "@rtol=1e-5 atol=2e-6\n"
#define LSTMS                                                                                      \
    NEAR "(f32[T=5,N=2,3], [f32[1,N,4], f32[1,N,4]], [f32[16,3], f32[16,4], f32[16], f32[16]], "   \
         "True, "                                                                                  \
         "1, 0.0, False, False, False)\n"                                                          \
         "(f32[1,1,3]{nan1}, [f32[1,1,1], f32[1,1,1]], [f32[4,3], f32[4,1]], False, 1, 0.0, "      \
         "False, "                                                                                 \
         "False, True)@static\n"                                                                   \
         "(f32[2,3,4]{nc}, [f32[2,2,2], f32[2,2,2]], [f32[8,4], f32[8,2], f32[8], f32[8], "        \
         "f32[8,4], "                                                                              \
         "f32[8,2], f32[8], f32[8]], True, 1, 0.0, False, True, True)@static\n"                    \
         "(f64[3,2,3], [f64[2,2,2], f64[2,2,2]], [f64[8,3], f64[8,2], f64[8,2], f64[8,2]], "       \
         "False, 2, "                                                                              \
         "0.5, False, False, False)@static\n"
#define GRUS                                                                                       \
    NEAR                                                                                           \
        "(f32[T=5,N=2,3], f32[1,N,4], [f32[12,3], f32[12,4], f32[12], f32[12]], True, 1, 0.0, "    \
        "False, False, False)\n"                                                                   \
        "(f32[2,3,4]{nc}, f32[2,2,2], [f32[6,4], f32[6,2], f32[6], f32[6], f32[6,4], f32[6,2], "   \
        "f32[6], f32[6]], True, 1, 0.0, False, True, True)@static\n"                               \
        "(f64[3,2,3]{nan1}, f64[2,2,2], [f64[6,3], f64[6,2], f64[6,2], f64[6,2]], False, 2, 0.0, " \
        "False, False, False)@static\n"
#define RNNS                                                                                       \
    NEAR                                                                                           \
        "(f32[T=5,N=2,3], f32[1,N,4], [f32[4,3], f32[4,4], f32[4], f32[4]], True, 1, 0.0, False, " \
        "False, False)\n"                                                                          \
        "(f32[2,3,4]{nan1}, f32[2,2,2], [f32[2,4], f32[2,2], f32[2,4], f32[2,2]], False, 1, 0.0, " \
        "False, True, True)@static\n"
#define RNN_CELLS                                                                                  \
    NEAR "(f32[N=2,3], f32[N,4], f32[4,3], f32[4,4], f32[4], f32[4])\n"                            \
         "(f64[1,1]{nan}, f64[1,1], f64[1,1], f64[1,1])@static\n"

static const tn_op_entry entries[] = {
    {"aten::lstm.input(Tensor input, Tensor[] hx, Tensor[] params, bool has_biases, int "
     "num_layers, float dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, "
     "Tensor, Tensor)",
     convert_rnn, LSTMS, TN_PRIM_SIGMOID},
    {"aten::gru.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, "
     "float dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor)",
     convert_rnn, GRUS, TN_PRIM_SELECT},
    {"aten::rnn_tanh.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int "
     "num_layers, float dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, "
     "Tensor)",
     convert_rnn, RNNS, TN_PRIM_TANH},
    {"aten::rnn_relu.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int "
     "num_layers, float dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, "
     "Tensor)",
     convert_rnn, RNNS, TN_PRIM_RELU},
    {"aten::lstm_cell(Tensor input, Tensor[] hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, "
     "Tensor? b_hh=None) -> (Tensor, Tensor)",
     convert_cell,
     NEAR "(f32[N=2,3], [f32[N,4], f32[N,4]], f32[16,3], f32[16,4], f32[16], f32[16])\n"
          "(f64[1,1]{nan}, [f64[1,1], f64[1,1]], f64[4,1], f64[4,1])@static\n",
     TN_PRIM_SIGMOID},
    {"aten::gru_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? "
     "b_hh=None) -> Tensor",
     convert_cell,
     NEAR "(f32[N=2,3], f32[N,4], f32[12,3], f32[12,4], f32[12], f32[12])\n"
          "(f64[1,1]{nan}, f64[1,1], f64[3,1], f64[3,1])@static\n",
     TN_PRIM_SELECT},
    {"aten::rnn_tanh_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, "
     "Tensor? b_hh=None) -> Tensor",
     convert_cell, RNN_CELLS, TN_PRIM_TANH},
    {"aten::rnn_relu_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, "
     "Tensor? b_hh=None) -> Tensor",
     convert_cell, RNN_CELLS, TN_PRIM_RELU},
};

const tn_op_family tn_ops_recurrent = {"recurrent", entries, sizeof entries / sizeof *entries};
