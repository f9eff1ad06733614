/* emit_conv.c: convolutions in fp32 over channels-last data, as implicit matrix products: the rows
 * of a register tile are neighbouring pixels of one output row, its columns output channels, and
 * the reduction runs over kernel row, kernel column and input channel. Nothing is unfolded.
 *
 * A task is a block of output rows times one panel of output channels. Without padding the input is
 * read in place. Otherwise the rows that a block needs are copied into the thread's scratch with
 * their zeros around them, once for all panels of the block; this costs a percent of the
 * arithmetic, puts pixels next to each other whatever the input's strides are, and leaves the tiles
 * free of special cases.
 */
#include "backend/cpu/compile/emit_contract.h"
#include "backend/cpu/compile/emit_tile.h"

#include <assert.h>

enum {
    WANTED_TASKS = 8,
    /* Pixels this many bytes apart share the lines of one L1 set. */
    L1_WAY_BYTES = 4096,
    MAX_ALIASED_PIXELS = 8,
    TYPICAL_WIDTH = 56,
    STREAM_AHEAD_FLOATS = 1024, /* where each panel is read once */
};

typedef struct conv {
    tn_cg *cg;
    const tn_conv_spec *spec;
    tn_tiling tiling;
    tn_tile_printer printer;
    bool skips_rows;             /* of the kernel, where they lie outside of the image */
    bool copies;                 /* the input into scratch; else it is read in place */
    int64_t group_in, group_out; /* channels */
    int64_t depth;               /* steps of the whole reduction */
    int64_t panel_columns;       /* of a whole panel */
    int64_t panels;              /* of one group */
    int64_t block_rows;          /* output rows of a task */
    const tn_sym *block_count;
    /* Of the data that tiles read: floats between pixels and between rows; pixels of a copied row.
     */
    const tn_sym *pixel_stride, *row_stride, *copied_width;
} conv;

/* ---- packing at compile time ------------------------------------------------------------------
 */

enum {
    PARAM_LANES,
    PARAM_VECTORS,
    PARAM_GROUPS,
    PARAM_GROUP_OUT,
    PARAM_GROUP_IN,
    PARAM_KERNEL_H,
    PARAM_KERNEL_W,
};

/* Where output channel o lies: its first float and the width of its panel. */
static size_t packed_channel(const int64_t *params, int64_t o, int64_t *out_width) {
    int64_t lanes = params[PARAM_LANES], width = params[PARAM_VECTORS] * lanes;
    int64_t group_out = params[PARAM_GROUP_OUT];
    int64_t depth = params[PARAM_GROUP_IN] * params[PARAM_KERNEL_H] * params[PARAM_KERNEL_W];
    int64_t group = o / group_out, column = o % group_out;
    int64_t panel = column / width, left = group_out - panel * width;
    int64_t group_floats = tn_ceildiv(group_out, lanes) * lanes * depth;
    *out_width = left >= width ? width : tn_ceildiv(left, lanes) * lanes;
    return (size_t)(group * group_floats + panel * depth * width + column % width);
}

static void pack_weight(const tn_cg_pack *self, const tn_tensor *weight, void *out) {
    assert(weight->dtype == TN_F32);
    const int64_t *params = self->params;
    for (int64_t o = 0; o < params[PARAM_GROUPS] * params[PARAM_GROUP_OUT]; o++) {
        int64_t width;
        float *to = (float *)out + packed_channel(params, o, &width);
        for (int64_t y = 0; y < params[PARAM_KERNEL_H]; y++)
            for (int64_t x = 0; x < params[PARAM_KERNEL_W]; x++)
                for (int64_t c = 0; c < params[PARAM_GROUP_IN]; c++, to += width)
                    *to = *(const float *)tn_conv_weight_at(weight, o, c, y, x);
    }
}

static void describe_pack(const conv *v, tn_cg_kernel *kernel) {
    const tn_conv_spec *spec = v->spec;
    int64_t lanes = v->cg->target->lanes;
    tn_cg_pack *pack = &kernel->packs[kernel->pack_count++];
    size_t floats = (size_t)(spec->groups * tn_ceildiv(v->group_out, lanes) * lanes * v->depth);
    *pack =
        (tn_cg_pack){.buf = spec->weight_buf, .bytes = floats * sizeof(float), .pack = pack_weight};
    pack->params[PARAM_LANES] = lanes;
    pack->params[PARAM_VECTORS] = v->tiling.vectors;
    pack->params[PARAM_GROUPS] = spec->groups;
    pack->params[PARAM_GROUP_OUT] = v->group_out;
    pack->params[PARAM_GROUP_IN] = v->group_in;
    pack->params[PARAM_KERNEL_H] = spec->kernel_h;
    pack->params[PARAM_KERNEL_W] = spec->kernel_w;
}

/* ---- sizes ------------------------------------------------------------------------------------
 */

/* Input pixels that `count` outputs in a row need. */
static const tn_sym *span(tn_syms *syms, const tn_sym *count, int64_t stride, int64_t kernel,
                          int64_t dilation) {
    return tn_sym_addi(syms, tn_sym_muli(syms, tn_sym_addi(syms, count, -1), stride),
                       (kernel - 1) * dilation + 1);
}

/* Whether all rows, all columns that tiles read are proved to lie in the image. */
static bool has_all_rows(const conv *v) {
    const tn_conv_spec *spec = v->spec;
    tn_syms *syms = v->cg->syms;
    const tn_sym *rows = span(syms, spec->out_h, spec->stride_h, spec->kernel_h, spec->dilation_h);
    return spec->pad_top == 0 && tn_sym_known_le(syms, rows, spec->in_h) == 1;
}
static bool has_all_columns(const conv *v) {
    const tn_conv_spec *spec = v->spec;
    tn_syms *syms = v->cg->syms;
    const tn_sym *columns =
        span(syms, spec->out_w, spec->stride_w, spec->kernel_w, spec->dilation_w);
    return spec->pad_left == 0 && tn_sym_known_le(syms, columns, spec->in_w) == 1;
}

/* Output rows of a task: what they read within half of L2, and enough tasks. In place, strided
 * tiles leave rows and pixels out. */
static int64_t choose_block_rows(const conv *v) {
    const tn_conv_spec *spec = v->spec;
    int64_t kernel_h = spec->kernel_h, stride_h = spec->stride_h;
    int64_t row_floats = tn_sym_const_or(v->row_stride, TYPICAL_WIDTH * spec->in_c);
    if (v->copies) {
        kernel_h = (kernel_h - 1) * spec->dilation_h + 1;
    } else {
        int64_t width = tn_sym_const_or(spec->out_w, TYPICAL_WIDTH);
        int64_t read_floats = width * spec->kernel_w * spec->in_c;
        row_floats = row_floats < read_floats ? row_floats : read_floats;
        stride_h = stride_h < kernel_h ? stride_h : kernel_h;
    }
    int64_t budget = (int64_t)v->cg->target->l2_bytes / 2 / (int64_t)sizeof(float);
    int64_t rows = budget / (row_floats > 0 ? row_floats : 1);
    int64_t fitting = (rows - kernel_h) / stride_h + 1;
    int64_t height = tn_sym_const_or(spec->out_h, TYPICAL_WIDTH);
    int64_t others = v->panels * spec->groups * tn_sym_const_or(spec->batch, 1);
    int64_t block = others < 1 ? height : tn_ceildiv(height, tn_ceildiv(WANTED_TASKS, others));
    if (block > fitting)
        block = fitting;
    if (block < 1 || height < 1)
        return 1;
    return tn_ceildiv(height, tn_ceildiv(height, block)); /* blocks of about the same size */
}

static void choose_sizes(conv *v) {
    const tn_conv_spec *spec = v->spec;
    tn_syms *syms = v->cg->syms;
    v->group_in = spec->in_c / spec->groups;
    v->group_out = spec->out_c / spec->groups;
    v->depth = v->group_in * spec->kernel_h * spec->kernel_w;
    v->skips_rows = !has_all_rows(v);
    v->copies = !has_all_columns(v) || !tn_sym_is(spec->x.strides[3], 1) ||
                !tn_sym_is_const(spec->x.strides[2]);
    v->copied_width = span(syms, spec->out_w, spec->stride_w, spec->kernel_w, spec->dilation_w);
    v->pixel_stride = v->copies ? tn_sym_const(syms, spec->in_c) : spec->x.strides[2];
    v->row_stride = v->copies ? tn_sym_muli(syms, v->copied_width, spec->in_c) : spec->x.strides[1];
    if (!v->row_stride || !v->pixel_stride)
        return; /* the symbols' status tells */
    int64_t distance = spec->stride_w * v->pixel_stride->value * (int64_t)sizeof(float);
    tn_tile_problem problem = {.rows = spec->out_w,
                               .columns = v->group_out,
                               .depth = v->depth,
                               .max_height = distance % L1_WAY_BYTES == 0 ? MAX_ALIASED_PIXELS : 0};
    v->tiling = tn_tile_choose(v->cg->target, &problem);
    v->panel_columns = v->tiling.vectors * v->cg->target->lanes;
    v->panels = tn_ceildiv(v->group_out, v->panel_columns);
    v->block_rows = choose_block_rows(v);
    v->block_count = tn_sym_ceildiv(syms, spec->out_h, tn_sym_const(syms, v->block_rows));
}

/* Whether one tile makes the whole output, so that every panel is a stream that is read once. */
static bool is_stream(const conv *v) {
    return tn_sym_is(v->spec->batch, 1) && tn_sym_is(v->spec->out_h, 1) &&
           tn_sym_is_const(v->spec->out_w) && v->spec->out_w->value <= v->tiling.heights[0];
}
static bool fetches_ahead(const conv *v) {
    return is_stream(v) || v->panels * v->spec->groups > 1;
}

/* Main tiles that read one panel, as far as known. */
static int64_t tiles_per_panel(const conv *v) {
    return v->block_rows *
           tn_ceildiv(tn_sym_const_or(v->spec->out_w, TYPICAL_WIDTH), v->tiling.heights[0]);
}

/* ---- text -------------------------------------------------------------------------------------
 */

static const char *number(const conv *v, int64_t value) {
    return tn_cg_text(v->cg, "%lld", (long long)value);
}

/* The loops of the reduction: kernel columns are one with the channels where they are contiguous.
 */
static void fill_printer(conv *v) {
    tn_cg *cg = v->cg;
    tn_syms *syms = cg->syms;
    const tn_conv_spec *spec = v->spec;
    tn_tile_printer *printer = &v->printer;
    *printer = (tn_tile_printer){
        .name = spec->name,
        .row_stride = tn_cg_sym(cg, tn_sym_muli(syms, v->pixel_stride, spec->stride_w)),
        .params = v->skips_rows ? "int64_t ky_begin, int64_t ky_end, int64_t image, int64_t oy, "
                                  "int64_t ox, int64_t c"
                                : "int64_t image, int64_t oy, int64_t ox, int64_t c",
        .arguments = v->skips_rows ? "ky_begin, ky_end, image, oy, ox, c" : "image, oy, ox, c",
        .total_depth = number(v, v->depth),
        .store = spec->store,
        .store_prefix = "image, oy, ",
        .row = "ox",
        .column = "c",
    };
    int64_t inner = v->group_in;
    bool is_contiguous = spec->dilation_w == 1 && tn_sym_is(v->pixel_stride, v->group_in);
    if (spec->kernel_h > 1 || v->skips_rows) {
        const tn_sym *step = tn_sym_muli(syms, v->row_stride, spec->dilation_h);
        printer->loops[printer->loop_count++] = (tn_tile_loop){
            .index = "ky",
            .begin = v->skips_rows ? "ky_begin" : "0",
            .end = v->skips_rows ? "ky_end" : number(v, spec->kernel_h),
            .step = tn_cg_sym(cg, step),
        };
        if (v->skips_rows)
            printer->skipped_depth =
                tn_cg_text(cg, "ky_begin * %lld", (long long)(v->group_in * spec->kernel_w));
    }
    if (is_contiguous) {
        inner *= spec->kernel_w;
    } else if (spec->kernel_w > 1) {
        const tn_sym *step = tn_sym_muli(syms, v->pixel_stride, spec->dilation_w);
        printer->loops[printer->loop_count++] = (tn_tile_loop){
            .index = "kx",
            .begin = "0",
            .end = number(v, spec->kernel_w),
            .step = tn_cg_sym(cg, step),
        };
    }
    printer->depth = number(v, inner);
    if (fetches_ahead(v))
        printer->ahead_bytes = tn_tile_ahead_bytes(&v->tiling, cg->target, tiles_per_panel(v));
}

/* Prints the statements that copy `pixels` pixels from `from` to `row`. */
static void print_pixels(const conv *v) {
    tn_cg *cg = v->cg;
    const tn_conv_spec *spec = v->spec;
    const char *channels = number(v, spec->in_c);
    const char *pixel = tn_cg_sym(cg, spec->x.strides[2]);
    if (tn_sym_is(spec->x.strides[3], 1) && tn_sym_is(spec->x.strides[2], spec->in_c)) {
        tn_cg_line(cg, "__builtin_memcpy(row, from, (size_t)pixels * %s * sizeof(float));",
                   channels);
    } else if (tn_sym_is(spec->x.strides[3], 1)) {
        tn_cg_line(cg, "for (int64_t p = 0; p < pixels; p++)");
        tn_cg_line(cg, "    __builtin_memcpy(row + p * %s, from + p * %s, %s * sizeof(float));",
                   channels, pixel, channels);
    } else {
        tn_cg_line(cg, "for (int64_t p = 0; p < pixels; p++)");
        tn_cg_line(cg, "    for (int64_t c = 0; c < %s; c++)", channels);
        tn_cg_line(cg, "        row[p * %s + c] = from[p * %s + c * %s];", channels, pixel,
                   tn_cg_sym(cg, spec->x.strides[3]));
    }
}

/* Copies input rows [y, y + count) of one image with zeros left and right of it. Rows that do not
 * exist are left out: no tile reads them. */
static void print_copy(const conv *v) {
    tn_cg *cg = v->cg;
    const tn_conv_spec *spec = v->spec;
    long long channels = (long long)spec->in_c;
    tn_cg_function function;
    tn_cg_begin_function(
        cg, &function,
        tn_cg_text(
            cg,
            "static void %s_copy(const int64_t *sym, const float *x, int64_t y, int64_t count,\n"
            "    float *to)",
            spec->name));
    const char *in_w = tn_cg_sym(cg, spec->in_w), *in_h = tn_cg_sym(cg, spec->in_h);
    tn_cg_line(cg, "(void)sym;");
    tn_cg_line(cg, "const int64_t width = %s;", tn_cg_sym(cg, v->copied_width));
    tn_cg_line(cg, "const int64_t left = width < %lld ? width : %lld, inside = width - left;",
               (long long)spec->pad_left, (long long)spec->pad_left);
    tn_cg_line(cg, "const int64_t pixels = inside < %s ? inside : %s;", in_w, in_w);
    tn_cg_line(cg, "const int64_t right = width - left - pixels;");
    tn_cg_line(cg, "for (int64_t i = 0; i < count; i++, y++, to += width * %lld) {", channels);
    if (v->skips_rows) {
        tn_cg_line(cg, "if (y < 0 || y >= %s)", in_h);
        tn_cg_line(cg, "    continue;");
    }
    tn_cg_line(cg, "const float *const from = x + y * %s;", tn_cg_sym(cg, spec->x.strides[1]));
    tn_cg_line(cg, "float *const row = to + left * %lld;", channels);
    tn_cg_line(cg, "for (int64_t k = 0; k < left * %lld; k++)", channels);
    tn_cg_line(cg, "    to[k] = 0.0f;");
    print_pixels(v);
    tn_cg_line(cg, "for (int64_t k = 0; k < right * %lld; k++)", channels);
    tn_cg_line(cg, "    row[pixels * %lld + k] = 0.0f;", channels);
    tn_cg_close(cg, "");
    tn_cg_end_function(cg, &function);
}

static int64_t rest_columns(const conv *v) {
    return v->group_out % v->panel_columns;
}

static void print_tiles(const conv *v) {
    if (v->group_out >= v->panel_columns)
        tn_tile_print_functions(v->cg, &v->printer, &v->tiling, v->panel_columns);
    if (rest_columns(v) > 0)
        tn_tile_print_functions(v->cg, &v->printer, &v->tiling, rest_columns(v));
}

static void print_indices(const conv *v) {
    tn_cg *cg = v->cg;
    const tn_conv_spec *spec = v->spec;
    tn_cg_line(cg, "int64_t rest = task;");
    tn_contract_print_index(cg, "panel", tn_sym_const(cg->syms, v->panels));
    if (spec->groups > 1)
        tn_contract_print_index(cg, "group", tn_sym_const(cg->syms, spec->groups));
    tn_contract_print_index(cg, "block", v->block_count);
    tn_cg_line(cg, "const int64_t image = rest;");
    const char *out_h = tn_cg_sym(cg, spec->out_h);
    long long rows = (long long)v->block_rows;
    tn_cg_line(cg, "const int64_t oy_begin = block * %lld;", rows);
    tn_cg_line(cg, "const int64_t oy_end = oy_begin + %lld < %s ? oy_begin + %lld : %s;", rows,
               out_h, rows, out_h);
}

/* Declares c, b and ahead: the panel of weights. */
static void print_panel(const conv *v) {
    tn_cg *cg = v->cg;
    int64_t lanes = cg->target->lanes;
    const char *base = tn_cg_text(cg, "(const float *)buf[%u] + panel * %lld", v->spec->weight_buf,
                                  (long long)(v->panel_columns * v->depth));
    const char *column = tn_cg_text(cg, "panel * %lld", (long long)v->panel_columns);
    if (v->spec->groups > 1) {
        int64_t group_floats = tn_ceildiv(v->group_out, lanes) * lanes * v->depth;
        base = tn_cg_text(cg, "%s + group * %lld", base, (long long)group_floats);
        column = tn_cg_text(cg, "group * %lld + %s", (long long)v->group_out, column);
    }
    tn_cg_line(cg, "const int64_t c = %s;", column);
    tn_cg_line(cg, "const float *const b = %s;", base);
    int64_t distance = is_stream(v) ? STREAM_AHEAD_FLOATS : v->panel_columns * v->depth;
    if (fetches_ahead(v))
        tn_cg_line(cg, "const char *ahead = (const char *)(b + %lld);", (long long)distance);
}

/* Declares x: where the tiles find the input row of output row oy_begin. */
static void print_input(const conv *v) {
    tn_cg *cg = v->cg;
    const tn_conv_spec *spec = v->spec;
    const char *image = tn_cg_text(cg, "(const float *)buf[%u]", spec->x.buf);
    if (!tn_sym_is(spec->x.offset, 0))
        image = tn_cg_text(cg, "%s + %s", image, tn_cg_sym(cg, spec->x.offset));
    image = tn_cg_text(cg, "%s + image * %s", image, tn_cg_sym(cg, spec->x.strides[0]));
    const char *group =
        spec->groups > 1 ? tn_cg_text(cg, " + group * %lld", (long long)v->group_in) : "";
    if (!v->copies) {
        tn_cg_line(cg, "const float *const x = %s + (oy_begin * %lld - %lld) * %s%s;", image,
                   (long long)spec->stride_h, (long long)spec->pad_top,
                   tn_cg_sym(cg, v->row_stride), group);
        return;
    }
    tn_cg_line(cg, "if (task / %lld != copied) {", (long long)(v->panels * spec->groups));
    tn_cg_line(cg, "const int64_t rows = (oy_end - oy_begin - 1) * %lld + %lld;",
               (long long)spec->stride_h, (long long)((spec->kernel_h - 1) * spec->dilation_h + 1));
    tn_cg_line(cg, "%s_copy(sym, %s, oy_begin * %lld - %lld, rows, scratch);", spec->name, image,
               (long long)spec->stride_h, (long long)spec->pad_top);
    tn_cg_line(cg, "copied = task / %lld;", (long long)(v->panels * spec->groups));
    tn_cg_close(cg, "");
    tn_cg_line(cg, "const float *const x = (const float *)scratch%s;", group);
}

/* The tiles of output row oy. */
static void print_runs(const conv *v) {
    tn_cg *cg = v->cg;
    const char *out_w = tn_cg_sym(cg, v->spec->out_w);
    const char *a = tn_cg_text(cg, "row + ox * %s", v->printer.row_stride);
    int64_t rest = rest_columns(v);
    bool has_whole = v->group_out >= v->panel_columns;
    if (has_whole && rest > 0)
        tn_cg_line(cg, "if (panel < %lld) {", (long long)(v->group_out / v->panel_columns));
    if (has_whole)
        tn_tile_print_runs(cg, &v->printer, &v->tiling, v->panel_columns, out_w, a);
    if (has_whole && rest > 0)
        tn_cg_close(cg, " else {");
    if (rest > 0)
        tn_tile_print_runs(cg, &v->printer, &v->tiling, rest, out_w, a);
    if (has_whole && rest > 0)
        tn_cg_close(cg, "");
}

static void print_kernel(const conv *v) {
    tn_cg *cg = v->cg;
    tn_cg_function function;
    tn_cg_begin_function(cg, &function, tn_cg_kernel_signature(cg, v->spec->name));
    tn_cg_line(cg, v->copies ? "int64_t copied = -1;" : "(void)scratch;");
    tn_cg_line(cg, "for (int64_t task = task_begin; task < task_end; task++) {");
    print_indices(v);
    print_panel(v);
    print_input(v);
    tn_cg_line(cg, "for (int64_t oy = oy_begin; oy < oy_end; oy++) {");
    const tn_sym *step = tn_sym_muli(cg->syms, v->row_stride, v->spec->stride_h);
    tn_cg_line(cg, "const float *const row = x + (oy - oy_begin) * %s;", tn_cg_sym(cg, step));
    if (v->skips_rows)
        tn_conv_print_kernel_rows(cg, v->spec);
    tn_cg_line(cg, "int64_t ox = 0;");
    print_runs(v);
    tn_cg_close(cg, "");
    tn_cg_close(cg, "");
    tn_cg_end_function(cg, &function);
}

static void print_comment(const conv *v) {
    tn_cg *cg = v->cg;
    const tn_conv_spec *spec = v->spec;
    tn_cg_line(cg,
               "/* convolution %lldx%lld, stride %lldx%lld, of %s x %s x %lld into %s x %s x %lld "
               "channels,",
               (long long)spec->kernel_h, (long long)spec->kernel_w, (long long)spec->stride_h,
               (long long)spec->stride_w, tn_cg_sym(cg, spec->in_h), tn_cg_sym(cg, spec->in_w),
               (long long)spec->in_c, tn_cg_sym(cg, spec->out_h), tn_cg_sym(cg, spec->out_w),
               (long long)spec->out_c);
    tn_cg_line(cg,
               " * %lld group%s. Tiles of %u pixels x %lld channels in registers; a task is %lld "
               "rows by one",
               (long long)spec->groups, spec->groups == 1 ? "" : "s", v->tiling.heights[0],
               (long long)v->panel_columns, (long long)v->block_rows);
    tn_cg_line(cg, " * panel of channels%s. */",
               v->copies ? "; its input is copied with the padding around it" : "");
}

tn_status tn_emit_conv_f32(tn_cg *cg, const tn_conv_spec *spec, tn_cg_kernel *out_kernel) {
    *out_kernel = (tn_cg_kernel){0};
    conv v = {.cg = cg, .spec = spec};
    choose_sizes(&v);
    TN_TRY(tn_syms_status(cg->syms));
    fill_printer(&v);
    print_comment(&v);
    print_tiles(&v);
    if (v.copies)
        print_copy(&v);
    print_kernel(&v);

    tn_syms *syms = cg->syms;
    const tn_sym *tasks = tn_sym_mul(syms, spec->batch, v.block_count);
    out_kernel->task_count = tn_sym_muli(syms, tasks, v.panels * spec->groups);
    const tn_sym *rows = span(syms, tn_sym_const(syms, v.block_rows), spec->stride_h,
                              spec->kernel_h, spec->dilation_h);
    out_kernel->scratch_bytes =
        v.copies ? tn_sym_muli(syms, tn_sym_mul(syms, rows, v.row_stride), sizeof(float))
                 : tn_sym_const(syms, 0);
    describe_pack(&v, out_kernel);
    return tn_cg_status(cg);
}
