/* interp_recurrent.c: recurrent cells along time. One step after the other, whatever their number;
 * all in double, so that one function serves every float dtype. The hidden state times the weights
 * is added row by row, which leaves the inner loop without a reduction. */
#include <math.h>
#include <string.h>

#include "kir/interp_impl.h"

typedef enum cell_kind { CELL_LSTM, CELL_GRU, CELL_TANH, CELL_RELU } cell_kind;

typedef struct recurrence {
    cell_kind kind;
    int64_t hidden, gates; /* elements of h, and of all gates */
    double *w;             /* [hidden, gates] */
    double *bias;          /* [gates] */
    double *x, *z;         /* one row's gates: the input's part, the hidden state's */
    double *h, *c;         /* [batch, hidden]; c is there for every kind */
} recurrence;

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

/* One step of one row, x and z given. */
static void step(const recurrence *cell, double *h, double *c) {
    const double *x = cell->x, *z = cell->z;
    int64_t n = cell->hidden;
    for (int64_t i = 0; i < n; i++) {
        if (cell->kind == CELL_LSTM) {
            double in = sigmoid(x[i] + z[i]), forget = sigmoid(x[n + i] + z[n + i]);
            double out = sigmoid(x[3 * n + i] + z[3 * n + i]);
            c[i] = forget * c[i] + in * tanh(x[2 * n + i] + z[2 * n + i]);
            h[i] = out * tanh(c[i]);
        } else if (cell->kind == CELL_GRU) {
            double reset = sigmoid(x[i] + z[i]), keep = sigmoid(x[n + i] + z[n + i]);
            double fresh = tanh(x[2 * n + i] + reset * z[2 * n + i]);
            h[i] = fresh + keep * (h[i] - fresh);
        } else {
            double sum = x[i] + z[i];
            h[i] = cell->kind == CELL_TANH ? tanh(sum) : sum > 0 || isnan(sum) ? sum : 0;
        }
    }
}

static void hidden_part(const recurrence *cell, const double *h) {
    memcpy(cell->z, cell->bias, (size_t)cell->gates * sizeof *cell->z);
    for (int64_t k = 0; k < cell->hidden; k++) {
        const double *w = cell->w + k * cell->gates;
        for (int64_t j = 0; j < cell->gates; j++)
            cell->z[j] += h[k] * w[j];
    }
}

static void load_all(const tn_tensor *tensor, double *out) {
    tn_walk walk = tn_walk_over(tensor);
    tn_walk_load_f64(&walk, tn_tensor_elems(tensor), out);
}

static void run_steps(const tn_interp_call *call, const recurrence *cell, bool is_reversed) {
    const tn_tensor *x = tn_interp_operand(call, 0);
    int64_t times = x->dims[0], rows = x->dims[1];
    for (int64_t i = 0; i < times; i++) {
        int64_t t = is_reversed ? times - 1 - i : i;
        tn_tensor at = tn_tensor_select(x, 0, t), out = tn_tensor_select(&call->results[0], 0, t);
        for (int64_t n = 0; n < rows; n++) {
            double *h = cell->h + n * cell->hidden;
            tn_tensor row = tn_tensor_select(&at, 0, n);
            load_all(&row, cell->x);
            hidden_part(cell, h);
            step(cell, h, cell->c + n * cell->hidden);
        }
        tn_walk walk = tn_walk_over(&out);
        tn_walk_store_f64(&walk, rows * cell->hidden, cell->h);
    }
}

static cell_kind kind_of(tn_str name) {
    return tn_str_is(name, "lstm")   ? CELL_LSTM
           : tn_str_is(name, "gru")  ? CELL_GRU
           : tn_str_is(name, "tanh") ? CELL_TANH
                                     : CELL_RELU;
}

tn_status tn_interp_recurrent(const tn_interp_call *call) {
    const tn_tensor *w = tn_interp_operand(call, 1), *bias = tn_interp_operand(call, 2);
    const tn_tensor *h = tn_interp_operand(call, 3), *c = tn_interp_operand(call, 4);
    recurrence cell = {.kind = kind_of(call->args[5].s), .hidden = w->dims[0], .gates = w->dims[1]};
    int64_t state = h->dims[0] * cell.hidden;
    size_t count = (size_t)(cell.hidden * cell.gates + 3 * cell.gates + 2 * state);
    double *memory = NULL;
    if (count == 0 || state == 0)
        return NULL;
    TN_TRY(tn_alloc_array(call->allocator, count, sizeof *memory, &memory));
    memset(memory, 0, count * sizeof *memory);
    cell.w = memory;
    cell.bias = cell.w + cell.hidden * cell.gates;
    cell.x = cell.bias + cell.gates;
    cell.z = cell.x + cell.gates;
    cell.h = cell.z + cell.gates;
    cell.c = cell.h + state;
    load_all(w, cell.w);
    load_all(h, cell.h);
    if (bias)
        load_all(bias, cell.bias);
    if (c)
        load_all(c, cell.c);
    run_steps(call, &cell, call->args[6].b);
    tn_walk last = tn_walk_over(&call->results[1]);
    tn_walk_store_f64(&last, state, cell.kind == CELL_LSTM ? cell.c : cell.h);
    tn_alloc_free(call->allocator, memory, count * sizeof *memory);
    return NULL;
}
