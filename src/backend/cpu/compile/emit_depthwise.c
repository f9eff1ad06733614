/* emit_depthwise.c: convolutions with one filter per channel over channels-last data. bf16 is
 * widened as it is loaded, and its weights when they are packed: the vector units multiply fp32
 * fastest.
 *
 * Lanes run along channels. A tile is a few neighbouring output pixels of one vector of channels;
 * each input pixel is loaded once per kernel row and multiplied into every output that it belongs
 * to, so that the arithmetic decides, not the loads. A task is a block of output rows and so few
 * channels that the input rows which one output row needs stay in the L1 cache until the next one.
 *
 * Nothing is multiplied by padding: kernel rows outside of the image are skipped, and where widths
 * are known, tiles at the edges have functions of their own that leave out the columns outside.
 * Otherwise pixels at the edges are done one by one.
 */
#include "backend/cpu/compile/emit_contract.h"

#include <assert.h>

enum { WANTED_TASKS = 8, MAX_PIXELS = 14, MIN_PIXELS = 4, MAX_RUNS = 8, TYPICAL_WIDTH = 56 };

/* Equal tiles in a row, from output column `begin` to `end`. Input columns are counted from the
 * first one under the tile's kernel; those in [inside_begin, inside_end) lie in the image. */
typedef struct run {
    int64_t begin, end, pixels, inside_begin, inside_end;
} run;

typedef struct depthwise {
    tn_cg *cg;
    const tn_conv_spec *spec;
    int64_t pixels;                  /* outputs of a main tile */
    int64_t block_rows, block_lanes; /* of a task */
    int64_t channel_blocks;
    const tn_sym *block_count;
    run runs[MAX_RUNS];
    uint32_t run_count; /* 0: widths are known at run time only */
} depthwise;

static int64_t clamp(int64_t x, int64_t low, int64_t high) {
    return x < low ? low : x > high ? high : x;
}

/* ---- packing at compile time ------------------------------------------------------------------
 */

enum { PARAM_LANES, PARAM_CHANNELS, PARAM_KERNEL_H, PARAM_KERNEL_W };

/* [vector of channels][kernel row][kernel column][lane]. */
static void pack_weight(const tn_cg_pack *self, const tn_tensor *weight, void *out) {
    assert(weight->dtype == TN_F32 || weight->dtype == TN_BF16);
    int64_t lanes = self->params[PARAM_LANES];
    int64_t height = self->params[PARAM_KERNEL_H], width = self->params[PARAM_KERNEL_W];
    for (int64_t c = 0; c < self->params[PARAM_CHANNELS]; c++) {
        float *to = (float *)out + c / lanes * lanes * height * width + c % lanes;
        for (int64_t y = 0; y < height; y++)
            for (int64_t x = 0; x < width; x++, to += lanes)
                *to = (float)tn_elem_get_f64(weight->dtype, tn_conv_weight_at(weight, c, 0, y, x));
    }
}

static void describe_pack(const depthwise *d, tn_cg_kernel *kernel) {
    const tn_conv_spec *spec = d->spec;
    int64_t lanes = d->cg->target->lanes;
    size_t floats =
        (size_t)(tn_ceildiv(spec->out_c, lanes) * lanes * spec->kernel_h * spec->kernel_w);
    tn_cg_pack *pack = &kernel->packs[kernel->pack_count++];
    *pack =
        (tn_cg_pack){.buf = spec->weight_buf, .bytes = floats * sizeof(float), .pack = pack_weight};
    pack->params[PARAM_LANES] = lanes;
    pack->params[PARAM_CHANNELS] = spec->out_c;
    pack->params[PARAM_KERNEL_H] = spec->kernel_h;
    pack->params[PARAM_KERNEL_W] = spec->kernel_w;
}

/* ---- sizes ------------------------------------------------------------------------------------
 */

/* Output columns of a tile: as many as registers hold beside one row of weights, and so that no
 * small rest is left of a known width. */
static int64_t choose_pixels(const depthwise *d) {
    int64_t registers = d->cg->target->has_avx512 ? 32 : 16;
    int64_t most = clamp(registers - d->spec->kernel_w - 2, MIN_PIXELS, MAX_PIXELS);
    int64_t width = tn_sym_const_or(d->spec->out_w, TYPICAL_WIDTH);
    return width < 1 ? 1 : tn_ceildiv(width, tn_ceildiv(width, most));
}

static run tile_at(const depthwise *d, int64_t begin, int64_t pixels) {
    const tn_conv_spec *spec = d->spec;
    int64_t under = (pixels - 1) * spec->stride_w + (spec->kernel_w - 1) * spec->dilation_w + 1;
    int64_t first = begin * spec->stride_w - spec->pad_left; /* input column */
    return (run){.begin = begin,
                 .end = begin + pixels,
                 .pixels = pixels,
                 .inside_begin = clamp(-first, 0, under),
                 .inside_end = clamp(spec->in_w->value - first, 0, under)};
}

/* Cuts a known width into runs; leaves run_count 0 if they are too many. */
static void cut_width(depthwise *d) {
    int64_t width = d->spec->out_w->value;
    for (int64_t begin = 0; begin < width; begin += d->pixels) {
        int64_t left = width - begin;
        run next = tile_at(d, begin, left < d->pixels ? left : d->pixels);
        run *last = d->run_count > 0 ? &d->runs[d->run_count - 1] : NULL;
        if (last && last->pixels == next.pixels && last->inside_begin == next.inside_begin &&
            last->inside_end == next.inside_end) {
            last->end = next.end;
        } else if (d->run_count == MAX_RUNS) {
            d->run_count = 0;
            return;
        } else {
            d->runs[d->run_count++] = next;
        }
    }
}

static void choose_sizes(depthwise *d) {
    const tn_conv_spec *spec = d->spec;
    int64_t lanes = d->cg->target->lanes;
    d->pixels = choose_pixels(d);
    if (tn_sym_is_const(spec->out_w) && tn_sym_is_const(spec->in_w))
        cut_width(d);
    int64_t vectors = tn_ceildiv(spec->out_c, lanes);
    int64_t in_w = tn_sym_const_or(spec->in_w, TYPICAL_WIDTH);
    int64_t vector_bytes = spec->kernel_h * in_w * lanes * (int64_t)sizeof(float);
    int64_t fitting = (int64_t)d->cg->target->l1_bytes / 2 / (vector_bytes > 0 ? vector_bytes : 1);
    d->block_lanes = clamp(fitting, 1, vectors) * lanes;
    d->channel_blocks = tn_ceildiv(spec->out_c, d->block_lanes);
    int64_t height = tn_sym_const_or(spec->out_h, TYPICAL_WIDTH);
    int64_t others = d->channel_blocks * tn_sym_const_or(spec->batch, 1);
    int64_t rows = others < 1 ? height : tn_ceildiv(height, tn_ceildiv(WANTED_TASKS, others));
    d->block_rows = rows < 1 ? 1 : rows;
    d->block_count =
        tn_sym_ceildiv(d->cg->syms, spec->out_h, tn_sym_const(d->cg->syms, d->block_rows));
}

/* ---- text -------------------------------------------------------------------------------------
 */

static const char *tile_name(const depthwise *d, const run *tile) {
    return tn_cg_text(d->cg, "%s_%lld_%lld_%lld", d->spec->name, (long long)tile->pixels,
                      (long long)tile->inside_begin, (long long)tile->inside_end);
}

/* The input's type in C. */
static const char *type_name(const depthwise *d) {
    return d->spec->dtype == TN_F32 ? "float" : "uint16_t";
}

static const char *tile_signature(const depthwise *d, const char *name) {
    return tn_cg_text(d->cg,
                      "TN_INLINE void %s(void *const *buf, const int64_t *sym, const %s *x,\n"
                      "    const float *weight, int64_t ky_begin, int64_t ky_end, int64_t image,\n"
                      "    int64_t oy, int64_t ox, int64_t c, int64_t lanes)",
                      name, type_name(d));
}

/* Declares row: the element of input column `column` and channel c in the image's row under ky. */
static void print_row(const depthwise *d, const char *column) {
    tn_cg *cg = d->cg;
    const tn_conv_spec *spec = d->spec;
    const char *c = tn_sym_is(spec->x.strides[3], 1)
                        ? "c"
                        : tn_cg_text(cg, "c * %s", tn_cg_sym(cg, spec->x.strides[3]));
    tn_cg_line(cg, "const int64_t y = oy * %lld - %lld + ky * %lld;", (long long)spec->stride_h,
               (long long)spec->pad_top, (long long)spec->dilation_h);
    tn_cg_line(cg, "const %s *const row = x + y * %s + (%s) * %s + %s;", type_name(d),
               tn_cg_sym(cg, spec->x.strides[1]), column, tn_cg_sym(cg, spec->x.strides[2]), c);
}

/* Adds input column i, counted from the first under the kernel, to the outputs it belongs to. */
static void print_column(const depthwise *d, const run *tile, int64_t i) {
    tn_cg *cg = d->cg;
    const tn_conv_spec *spec = d->spec;
    const char *terms = "";
    for (int64_t kx = 0; kx < spec->kernel_w; kx++) {
        int64_t distance = i - kx * spec->dilation_w;
        int64_t pixel = distance / spec->stride_w;
        if (distance >= 0 && distance % spec->stride_w == 0 && pixel < tile->pixels)
            terms = tn_cg_text(cg, "%s c%lld += x%lld * w%lld;", terms, (long long)pixel,
                               (long long)i, (long long)kx);
    }
    if (*terms == '\0')
        return;
    tn_cg_line(cg, "const tn_vf x%lld = tn_load_%s(row + %lld * %s, %s, lanes);", (long long)i,
               tn_dtype_name(spec->dtype), (long long)(i - tile->inside_begin),
               tn_cg_sym(cg, spec->x.strides[2]), tn_cg_sym(cg, spec->x.strides[3]));
    tn_cg_line(cg, "%s", terms + 1);
}

static void print_tile(const depthwise *d, const run *tile) {
    tn_cg *cg = d->cg;
    const tn_conv_spec *spec = d->spec;
    tn_cg_function function;
    tn_cg_begin_function(cg, &function, tile_signature(d, tile_name(d, tile)));
    const char *list = "";
    for (int64_t p = 0; p < tile->pixels; p++)
        list = tn_cg_text(cg, "%s%sc%lld = {0}", list, p == 0 ? "" : ", ", (long long)p);
    tn_cg_line(cg, "tn_vf %s;", list);
    tn_cg_line(cg, "for (int64_t ky = ky_begin; ky < ky_end; ky++) {");
    if (tile->inside_begin < tile->inside_end) {
        print_row(d, tn_cg_text(cg, "ox * %lld + (%lld)", (long long)spec->stride_w,
                                (long long)(tile->inside_begin - spec->pad_left)));
        tn_cg_line(cg, "const float *const w = weight + ky * %lld;",
                   (long long)(spec->kernel_w * cg->target->lanes));
        for (int64_t kx = 0; kx < spec->kernel_w; kx++)
            tn_cg_line(cg, "const tn_vf w%lld = *(const tn_vf_mem *)(w + %lld);", (long long)kx,
                       (long long)(kx * cg->target->lanes));
        for (int64_t i = tile->inside_begin; i < tile->inside_end; i++)
            print_column(d, tile, i);
    }
    tn_cg_close(cg, "");
    for (int64_t p = 0; p < tile->pixels; p++)
        tn_cg_line(cg, "%s(buf, sym, image, oy, ox + %lld, c, lanes, c%lld);", spec->store,
                   (long long)p, (long long)p);
    tn_cg_end_function(cg, &function);
}

/* One pixel, whose columns are checked at run time. */
static void print_edge(const depthwise *d) {
    tn_cg *cg = d->cg;
    const tn_conv_spec *spec = d->spec;
    tn_cg_function function;
    tn_cg_begin_function(cg, &function, tile_signature(d, tn_cg_text(cg, "%s_edge", spec->name)));
    tn_cg_line(cg, "tn_vf sum = {0};");
    tn_cg_line(cg, "for (int64_t ky = ky_begin; ky < ky_end; ky++) {");
    tn_cg_line(cg, "for (int64_t kx = 0; kx < %lld; kx++) {", (long long)spec->kernel_w);
    tn_cg_line(cg, "const int64_t ix = ox * %lld - %lld + kx * %lld;", (long long)spec->stride_w,
               (long long)spec->pad_left, (long long)spec->dilation_w);
    tn_cg_line(cg, "if (ix < 0 || ix >= %s)", tn_cg_sym(cg, spec->in_w));
    tn_cg_line(cg, "    continue;");
    print_row(d, "ix");
    tn_cg_line(cg, "const float *const w = weight + (ky * %lld + kx) * %u;",
               (long long)spec->kernel_w, cg->target->lanes);
    tn_cg_line(cg, "sum += tn_load_%s(row, %s, lanes) * *(const tn_vf_mem *)w;",
               tn_dtype_name(spec->dtype), tn_cg_sym(cg, spec->x.strides[3]));
    tn_cg_close(cg, "");
    tn_cg_close(cg, "");
    tn_cg_line(cg, "%s(buf, sym, image, oy, ox, c, lanes, sum);", spec->store);
    tn_cg_end_function(cg, &function);
}

/* Calls a tile's function for all channels of the task; whole vectors and the rest apart, so that
 * the number of lanes is a constant in both. */
static void print_channels(const depthwise *d, const char *name) {
    tn_cg *cg = d->cg;
    long long channels = (long long)d->spec->out_c, rest = channels % cg->target->lanes;
    const char *arguments =
        tn_cg_text(cg, "%s(buf, sym, x, weight + c * %lld, ky_begin, ky_end, image, oy, ox, c,",
                   name, (long long)(d->spec->kernel_h * d->spec->kernel_w));
    tn_cg_line(cg, "int64_t c = c_begin;");
    tn_cg_line(cg, "for (; c + TN_W <= c_end; c += TN_W)");
    tn_cg_line(cg, "    %s TN_W);", arguments);
    if (rest > 0) {
        tn_cg_line(cg, "if (c < c_end)");
        tn_cg_line(cg, "    %s %lld);", arguments, rest);
    }
}

/* Tiles where all columns lie in the image, single pixels before and after. */
static void print_dynamic_width(const depthwise *d, const run *tile) {
    tn_cg *cg = d->cg;
    const tn_conv_spec *spec = d->spec;
    long long pixels = (long long)tile->pixels, pad = (long long)spec->pad_left;
    long long stride = (long long)spec->stride_w;
    tn_cg_line(cg, "const int64_t inside_begin = %lld;",
               (long long)tn_ceildiv(spec->pad_left, spec->stride_w));
    tn_cg_line(cg, "const int64_t last = %s + %lld;", tn_cg_sym(cg, spec->in_w),
               pad - (long long)((spec->kernel_w - 1) * spec->dilation_w + 1));
    tn_cg_line(cg, "const int64_t inside_end = last < 0 ? 0 : last / %lld + 1;", stride);
    tn_cg_line(cg, "const int64_t width = %s;", tn_cg_sym(cg, spec->out_w));
    tn_cg_line(cg, "for (int64_t ox = 0; ox < width;) {");
    tn_cg_line(cg,
               "const int is_inside = ox >= inside_begin && ox + %lld <= inside_end && "
               "ox + %lld <= width;",
               pixels, pixels);
    tn_cg_line(cg, "if (is_inside) {");
    print_channels(d, tile_name(d, tile));
    tn_cg_line(cg, "ox += %lld;", pixels);
    tn_cg_close(cg, " else {");
    print_channels(d, tn_cg_text(cg, "%s_edge", spec->name));
    tn_cg_line(cg, "ox++;");
    tn_cg_close(cg, "");
    tn_cg_close(cg, "");
}

static void print_static_width(const depthwise *d) {
    tn_cg *cg = d->cg;
    for (uint32_t i = 0; i < d->run_count; i++) {
        const run *tiles = &d->runs[i];
        tn_cg_line(cg, "for (int64_t ox = %lld; ox < %lld; ox += %lld) {", (long long)tiles->begin,
                   (long long)tiles->end, (long long)tiles->pixels);
        print_channels(d, tile_name(d, tiles));
        tn_cg_close(cg, "");
    }
}

static void print_kernel(const depthwise *d, const run *inside) {
    tn_cg *cg = d->cg;
    const tn_conv_spec *spec = d->spec;
    tn_cg_function function;
    tn_cg_begin_function(cg, &function, tn_cg_kernel_signature(cg, spec->name));
    tn_cg_line(cg, "(void)scratch;");
    tn_cg_line(cg, "const float *const weight = (const float *)buf[%u];", spec->weight_buf);
    tn_cg_line(cg, "for (int64_t task = task_begin; task < task_end; task++) {");
    tn_cg_line(cg, "const int64_t c_begin = task %% %lld * %lld, rest = task / %lld;",
               (long long)d->channel_blocks, (long long)d->block_lanes,
               (long long)d->channel_blocks);
    tn_cg_line(cg, "const int64_t c_end = c_begin + %lld < %lld ? c_begin + %lld : %lld;",
               (long long)d->block_lanes, (long long)spec->out_c, (long long)d->block_lanes,
               (long long)spec->out_c);
    const char *blocks = tn_cg_sym(cg, d->block_count), *out_h = tn_cg_sym(cg, spec->out_h);
    tn_cg_line(cg, "const int64_t oy_begin = rest %% %s * %lld, image = rest / %s;", blocks,
               (long long)d->block_rows, blocks);
    tn_cg_line(cg, "const int64_t oy_end = oy_begin + %lld < %s ? oy_begin + %lld : %s;",
               (long long)d->block_rows, out_h, (long long)d->block_rows, out_h);
    const char *offset =
        tn_sym_is(spec->x.offset, 0) ? "" : tn_cg_text(cg, " + %s", tn_cg_sym(cg, spec->x.offset));
    tn_cg_line(cg, "const %s *const x = (const %s *)buf[%u]%s + image * %s;", type_name(d),
               type_name(d), spec->x.buf, offset, tn_cg_sym(cg, spec->x.strides[0]));
    tn_cg_line(cg, "for (int64_t oy = oy_begin; oy < oy_end; oy++) {");
    tn_conv_print_kernel_rows(cg, spec);
    if (d->run_count > 0)
        print_static_width(d);
    else
        print_dynamic_width(d, inside);
    tn_cg_close(cg, "");
    tn_cg_close(cg, "");
    tn_cg_end_function(cg, &function);
}

/* Prints the functions that the kernel calls, each once. */
static void print_tiles(const depthwise *d, const run *inside) {
    if (d->run_count == 0) {
        print_tile(d, inside);
        print_edge(d);
        return;
    }
    for (uint32_t i = 0; i < d->run_count; i++) {
        const run *tile = &d->runs[i];
        bool is_printed = false;
        for (uint32_t j = 0; j < i; j++)
            is_printed |= tile->pixels == d->runs[j].pixels &&
                          tile->inside_begin == d->runs[j].inside_begin &&
                          tile->inside_end == d->runs[j].inside_end;
        if (!is_printed)
            print_tile(d, tile);
    }
}

tn_status tn_emit_depthwise(tn_cg *cg, const tn_conv_spec *spec, tn_cg_kernel *out_kernel) {
    *out_kernel = (tn_cg_kernel){0};
    depthwise d = {.cg = cg, .spec = spec};
    choose_sizes(&d);
    TN_TRY(tn_syms_status(cg->syms));
    run inside = {.pixels = d.pixels};
    inside.inside_end =
        (d.pixels - 1) * spec->stride_w + (spec->kernel_w - 1) * spec->dilation_w + 1;
    tn_cg_line(
        cg, "/* depthwise convolution %lldx%lld, stride %lldx%lld, of %s x %s x %lld into %s x %s.",
        (long long)spec->kernel_h, (long long)spec->kernel_w, (long long)spec->stride_h,
        (long long)spec->stride_w, tn_cg_sym(cg, spec->in_h), tn_cg_sym(cg, spec->in_w),
        (long long)spec->out_c, tn_cg_sym(cg, spec->out_h), tn_cg_sym(cg, spec->out_w));
    tn_cg_line(
        cg,
        " * Tiles of %lld pixels x %u channels in registers; a task is %lld rows of %lld channels,",
        (long long)d.pixels, cg->target->lanes, (long long)d.block_rows, (long long)d.block_lanes);
    tn_cg_line(cg, " * whose input rows stay in L1. NAME_P_B_E: P pixels, input columns B to E lie "
                   "inside. */");
    print_tiles(&d, &inside);
    print_kernel(&d, &inside);
    const tn_sym *tasks = tn_sym_mul(cg->syms, spec->batch, d.block_count);
    out_kernel->task_count = tn_sym_muli(cg->syms, tasks, d.channel_blocks);
    out_kernel->scratch_bytes = tn_sym_const(cg->syms, 0);
    describe_pack(&d, out_kernel);
    return tn_cg_status(cg);
}
