/* emit_tile.c: choice and text of register tiles. The cost model counts, per step of the reduction,
 * the multiply-adds, the loads and the chain of dependent additions, of which the slowest decides;
 * it knows no machine by name. */
#include "backend/cpu/compile/emit_tile.h"

/* Costs are in 1/1000 cycle. Two multiply-adds and two loads per cycle; from an addition to the
 * next one of the same register it takes four cycles, and in practice five; the smaller weights
 * break ties and stand for what a tile costs outside of its loop. Typical sizes where the true ones
 * are unknown. */
enum {
    COST_FMA = 500,
    COST_LOAD = 500,
    COST_CHAIN = 5000,
    COST_PANEL_FLOAT = 180, /* of the right side, which streams from L2: 64 bytes in three cycles */
    COST_LOAD_TIE = 25,
    COST_TILE = 20000,
    COST_ELEMENT = 2000, /* of the tile: cleared before, stored after */
    TYPICAL_ROWS = 128,
    TYPICAL_COLUMNS = 768,
    TYPICAL_DEPTH = 512,
    MAX_VECTORS = 8,
};

/* Whether the tile's vectors find room: the results, one step's column vectors and a row's element.
 * A single row uses each column vector once, in place. */
static bool fits_registers(const tn_cpu_target *target, uint32_t height, uint32_t vectors) {
    uint32_t results = height * vectors, registers = target->has_avx512 ? 32 : 16;
    if (target->is_portable)
        return results <= 6; /* of two registers each */
    return results + (height == 1 ? 0 : vectors) + 1 <= registers;
}

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

typedef struct cost_model {
    int64_t lanes, depth;
    int64_t l2_bytes;
} cost_model;

/* The wait for the panel: L2 should hold it, the next one and the rows; panels that are too large
 * for that come from further away. */
static int64_t panel_wait(const cost_model *model, int64_t vectors) {
    int64_t floats = vectors * model->lanes, wait = floats * COST_PANEL_FLOAT;
    int64_t fifths = floats * model->depth * (int64_t)sizeof(float) * 5 / model->l2_bytes;
    return fifths < 1 ? wait : fifths < 2 ? wait * 3 / 2 : wait * 2;
}

/* One tile over the whole reduction, divided by its depth. */
static int64_t tile_cost(const cost_model *model, int64_t height, int64_t vectors) {
    int64_t loads = height + vectors;
    int64_t compute = larger(height * vectors * COST_FMA, loads * COST_LOAD);
    int64_t wait = larger(panel_wait(model, vectors), COST_CHAIN);
    return larger(compute, wait) + loads * COST_LOAD_TIE +
           (COST_TILE + height * vectors * COST_ELEMENT) / larger(model->depth, 1);
}

/* The heights that cover any number of rows: the main one, then what is left over. */
static void fill_heights(tn_tiling *tiling, const tn_tile_problem *problem, uint32_t height) {
    tiling->heights[0] = height;
    tiling->height_count = 1;
    if (tn_sym_is_const(problem->rows)) {
        uint32_t rest = (uint32_t)(problem->rows->value % height);
        if (rest > 0)
            tiling->heights[tiling->height_count++] = rest;
        return;
    }
    for (uint32_t rest = 16; rest > 0; rest /= 2)
        if (rest < height)
            tiling->heights[tiling->height_count++] = rest;
}

static int64_t panel_cost(const cost_model *model, const tn_tiling *tiling, int64_t rows,
                          int64_t vectors) {
    int64_t cost = 0;
    for (uint32_t i = 0; i < tiling->height_count; i++) {
        int64_t height = tiling->heights[i];
        cost += rows / height * tile_cost(model, height, vectors);
        rows %= height;
    }
    return cost;
}

/* For unknown rows the cost of a typical number, and some of one that leaves a rest. */
static int64_t rows_cost(const cost_model *model, const tn_tiling *tiling, const tn_sym *rows,
                         int64_t vectors) {
    if (tn_sym_is_const(rows))
        return panel_cost(model, tiling, rows->value, vectors);
    int64_t typical = rows->max < TYPICAL_ROWS ? rows->max : TYPICAL_ROWS;
    return panel_cost(model, tiling, typical, vectors) +
           panel_cost(model, tiling, typical + 5, vectors) / 4;
}

static int64_t total_cost(const cost_model *model, const tn_tiling *tiling,
                          const tn_tile_problem *problem) {
    int64_t columns = problem->columns < 0 ? TYPICAL_COLUMNS : problem->columns;
    int64_t width = tiling->vectors * model->lanes, rest = columns % width;
    int64_t rest_vectors = (rest + model->lanes - 1) / model->lanes;
    if (problem->is_paired && rest_vectors % 2 != 0)
        rest_vectors++;
    int64_t cost = columns / width * rows_cost(model, tiling, problem->rows, tiling->vectors);
    if (rest_vectors > 0)
        cost += rows_cost(model, tiling, problem->rows, rest_vectors);
    return cost;
}

tn_tiling tn_tile_choose(const tn_cpu_target *target, const tn_tile_problem *problem) {
    const cost_model model = {.lanes = target->lanes,
                              .depth = problem->depth < 0 ? TYPICAL_DEPTH : problem->depth,
                              .l2_bytes = (int64_t)target->l2_bytes};
    tn_tiling best = {0};
    int64_t best_cost = INT64_MAX;
    uint32_t step = problem->is_paired ? 2 : 1;
    for (uint32_t vectors = step; vectors <= MAX_VECTORS; vectors += step) {
        for (uint32_t height = 1; fits_registers(target, height, vectors); height++) {
            bool is_too_high = (problem->max_height != 0 && height > problem->max_height) ||
                               problem->rows->max < height;
            if (is_too_high && height > 1)
                break;
            tn_tiling tiling = {.vectors = vectors};
            fill_heights(&tiling, problem, height);
            int64_t cost = total_cost(&model, &tiling, problem);
            if (cost < best_cost) {
                best = tiling;
                best_cost = cost;
            }
        }
    }
    return best;
}

int64_t tn_tile_ahead_bytes(const tn_tiling *tiling, const tn_cpu_target *target, int64_t tiles) {
    int64_t step = (int64_t)tiling->vectors * target->lanes * (int64_t)sizeof(float);
    return tiles > 0 ? (step + tiles - 1) / tiles : step;
}

/* ---- text -------------------------------------------------------------------------------------
 */

/* The accumulators' type and how many make TN_W lanes: vectors wider than the machine's registers
 * would live in memory. */
typedef struct accumulator {
    const char *type, *load_type;
    uint32_t per_vector;
    uint32_t lanes;
} accumulator;

static accumulator accumulator_of(const tn_cpu_target *target) {
    if (target->is_portable)
        return (accumulator){"tn_vf4", "tn_vf4_mem", target->lanes / 4, 4};
    return (accumulator){"tn_vf", "tn_vf_mem", 1, target->lanes};
}

static void print_accumulators(tn_cg *cg, accumulator acc, uint32_t height, uint32_t vectors) {
    for (uint32_t row = 0; row < height; row++) {
        const char *list = "";
        for (uint32_t j = 0; j < vectors * acc.per_vector; j++)
            list = tn_cg_text(cg, "%s%sc%u_%u = {0}", list, j == 0 ? "" : ", ", row, j);
        tn_cg_line(cg, "%s %s;", acc.type, list);
    }
}

static void print_step(tn_cg *cg, const tn_tile_printer *printer, accumulator acc, uint32_t height,
                       uint32_t vectors) {
    uint32_t count = vectors * acc.per_vector;
    for (uint32_t j = 0; j < count; j++)
        tn_cg_line(cg, "const %s b%u = *(const %s *)(b + %u);", acc.type, j, acc.load_type,
                   j * acc.lanes);
    for (int64_t at = 0; at < printer->ahead_bytes; at += 64)
        tn_cg_line(cg, "__builtin_prefetch(ahead + %lld, 0, 2);", (long long)at);
    if (printer->ahead_bytes > 0)
        tn_cg_line(cg, "ahead += %lld;", (long long)printer->ahead_bytes);
    for (uint32_t row = 0; row < height; row++) {
        const char *value =
            row == 0 ? "x[k]" : tn_cg_text(cg, "x[k + %u * %s]", row, printer->row_stride);
        tn_cg_line(cg, "const float x%u = %s;", row, value);
        for (uint32_t j = 0; j < count; j += 4) { /* four to a line */
            const char *terms = "";
            for (uint32_t i = j; i < count && i < j + 4; i++)
                terms = tn_cg_text(cg, "%s%sc%u_%u += x%u * b%u;", terms, i == j ? "" : " ", row, i,
                                   row, i);
            tn_cg_line(cg, "%s", terms);
        }
    }
}

static uint32_t vector_count(tn_cg *cg, int64_t columns) {
    return (uint32_t)((columns + cg->target->lanes - 1) / cg->target->lanes);
}

/* The TN_W lanes of column vector j of a row. */
static const char *vector_text(tn_cg *cg, accumulator acc, uint32_t row, uint32_t j) {
    if (acc.per_vector == 1)
        return tn_cg_text(cg, "c%u_%u", row, j);
    return tn_cg_text(cg, "tn_join_f(c%u_%u, c%u_%u)", row, 2 * j, row, 2 * j + 1);
}

static const char *sum_text(tn_cg *cg, const char *name, uint32_t offset) {
    return offset == 0 ? name : tn_cg_text(cg, "%s + %u", name, offset);
}

static void print_stores(tn_cg *cg, const tn_tile_printer *printer, accumulator acc,
                         uint32_t height, int64_t columns) {
    uint32_t step = printer->is_paired ? 2 : 1, vectors = vector_count(cg, columns);
    int64_t rest = columns % cg->target->lanes;
    for (uint32_t j = 0; j < vectors; j += step) {
        const char *column = sum_text(cg, printer->column, j / step * cg->target->lanes);
        bool is_last = j + step >= vectors;
        const char *lanes = "TN_W";
        if (printer->column_end) {
            lanes = tn_cg_text(cg, "lanes%u", j);
            tn_cg_line(cg, "const int64_t left%u = %s - (%s);", j, printer->column_end, column);
            tn_cg_line(cg, "const int64_t lanes%u = left%u < TN_W ? left%u : TN_W;", j, j, j);
            tn_cg_line(cg, "if (lanes%u > 0) {", j);
        } else if (is_last && rest != 0) {
            lanes = tn_cg_text(cg, "%lld", (long long)rest);
        }
        for (uint32_t row = 0; row < height; row++) {
            const char *values = vector_text(cg, acc, row, j);
            if (printer->is_paired)
                values = tn_cg_text(cg, "%s, %s", values, vector_text(cg, acc, row, j + 1));
            tn_cg_line(cg, "%s(buf, sym, %s%s, %s, %s, %s);", printer->store, printer->store_prefix,
                       sum_text(cg, printer->row, row), column, lanes, values);
        }
        if (printer->column_end)
            tn_cg_close(cg, "");
    }
}

static const char *function_name(tn_cg *cg, const tn_tile_printer *printer, uint32_t height,
                                 int64_t columns) {
    return tn_cg_text(cg, "%s_%ux%lld", printer->name, height, (long long)columns);
}

static void print_function(tn_cg *cg, const tn_tile_printer *printer, uint32_t height,
                           int64_t columns) {
    accumulator acc = accumulator_of(cg->target);
    uint32_t vectors = vector_count(cg, columns);
    tn_cg_function function;
    tn_cg_begin_function(cg, &function,
                         tn_cg_text(cg,
                                    "static __attribute__((noinline)) void %s(void *const *buf,\n"
                                    "    const int64_t *sym, const float *a,\n"
                                    "    const float *b, %s%s)",
                                    function_name(cg, printer, height, columns),
                                    printer->ahead_bytes > 0 ? "const char *ahead, " : "",
                                    printer->params));
    print_accumulators(cg, acc, height, vectors);
    if (printer->skipped_depth)
        tn_cg_line(cg, "b += %s * %u;", printer->skipped_depth, vectors * cg->target->lanes);
    const char *x = "a";
    for (uint32_t i = 0; i < printer->loop_count; i++) {
        const tn_tile_loop *loop = &printer->loops[i];
        tn_cg_line(cg, "for (int64_t %s = %s; %s < %s; %s++) {", loop->index, loop->begin,
                   loop->index, loop->end, loop->index);
        x = tn_cg_text(cg, "%s + %s * %s", x, loop->index, loop->step);
    }
    tn_cg_line(cg, "const float *x = %s;", x);
    tn_cg_line(cg, "#pragma GCC unroll 4");
    tn_cg_line(cg, "for (int64_t k = 0; k < %s; k++, b += %u) {", printer->depth,
               vectors * cg->target->lanes);
    print_step(cg, printer, acc, height, vectors);
    for (uint32_t i = 0; i <= printer->loop_count; i++)
        tn_cg_close(cg, "");
    print_stores(cg, printer, acc, height, columns);
    tn_cg_end_function(cg, &function);
}

void tn_tile_print_functions(tn_cg *cg, const tn_tile_printer *printer, const tn_tiling *tiling,
                             int64_t columns) {
    for (uint32_t i = 0; i < tiling->height_count; i++)
        print_function(cg, printer, tiling->heights[i], columns);
}

void tn_tile_print_runs(tn_cg *cg, const tn_tile_printer *printer, const tn_tiling *tiling,
                        int64_t columns, const char *row_end, const char *a) {
    const char *row = printer->row;
    for (uint32_t i = 0; i < tiling->height_count; i++) {
        uint32_t height = tiling->heights[i];
        const char *advance =
            printer->ahead_bytes == 0
                ? ""
                : tn_cg_text(cg, ", ahead += %lld * %s", (long long)printer->ahead_bytes,
                             printer->total_depth);
        tn_cg_line(cg, "for (; %s + %u <= %s; %s += %u%s)", row, height, row_end, row, height,
                   advance);
        tn_cg_line(cg, "    %s(buf, sym, %s, b, %s%s);",
                   function_name(cg, printer, height, columns), a,
                   printer->ahead_bytes > 0 ? "ahead, " : "", printer->arguments);
    }
}
