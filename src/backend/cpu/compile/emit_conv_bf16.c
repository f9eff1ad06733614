/* emit_conv_bf16.c: convolutions of channels-last bf16 data, accumulated in fp32, without im2col.
 *
 * A task is a band of output rows times one panel of 32 output channels. The input rows of a band
 * are copied once into the thread's scratch, with zero borders and with channels padded to whole
 * steps of 32; a strided convolution gets one plane per phase of the stride, so that within a plane
 * neighbouring outputs always read neighbouring pixels. Then the band is one matrix product: output
 * pixels, counted through the plane's rows, are its rows, each tap is the same matrix at another
 * offset, and k runs over taps and channels. The few columns behind the image's right edge are
 * computed and dropped.
 *
 * 1x1 convolutions read their input in place. With few channels (a first layer), padding every tap
 * to 32 would multiply the work; there the pixels of a window row are laid out one after the other
 * and count as one tap.
 *
 * Where k is so short that tiles take it in one pass, storing takes as long as computing. There a
 * task is several panels, so that neighbouring channels are stored soon after each other, and the
 * results of a block are stored while the tiles compute the next one.
 */
#include <assert.h>

#include "backend/cpu/compile/emit_bf16.h"

enum {
    BAND_PIXELS = 512,     /* wanted: a few blocks of rows, so that the copied border is small */
    ONE_PASS_PIXELS = 224, /* the same where k is short: whole blocks of 32 */
    UNKNOWN_BAND_ROWS = 8, /* where the image's size is a symbol */
    TASK_PANELS = 8,       /* at most, where k is short, ... */
    WANTED_TASKS = 12,     /* ... as long as there are so many tasks */
};

typedef enum layout { IN_PLACE, PIXELS, WINDOWS } layout;

typedef struct conv {
    tn_cg *cg;
    const tn_conv_spec *spec;
    bool has_tiles;
    layout layout;
    int64_t channels, out_channels; /* per group */
    int64_t padded;                 /* elements of one copied pixel or window */
    int64_t taps_w;                 /* 1 for windows */
    int64_t phases_h, phases_w;     /* planes */
    int64_t reach_h, reach_w;       /* rows and columns of a plane beyond those of the band */
    int64_t steps, panels, band_rows;
    bool is_one_pass;    /* tiles take all steps at once */
    int64_t task_panels; /* divides panels */
    const tn_sym *plane_w, *bands;
} conv;

static int64_t ceildiv(int64_t a, int64_t b) {
    return tn_bf16_ceildiv(a, b);
}
static int64_t round_up(int64_t a) {
    return ceildiv(a, TN_BF16_STEP) * TN_BF16_STEP;
}

/* ---- packing at compile time ------------------------------------------------------------------
 */

enum { PARAM_CHANNELS, PARAM_OUT, PARAM_GROUPS, PARAM_H, PARAM_W, PARAM_PADDED, PARAM_WINDOWS };

static void pack_weight(const tn_cg_pack *self, const tn_tensor *weight, void *out) {
    assert(weight->dtype == TN_BF16);
    const int64_t *p = self->params, taps_w = p[PARAM_WINDOWS] ? 1 : p[PARAM_W];
    const int64_t depth = p[PARAM_H] * taps_w * p[PARAM_PADDED];
    const int64_t group_elems = ceildiv(p[PARAM_OUT], TN_BF16_PANEL) * tn_bf16_panel_elems(depth);
    for (int64_t o = 0; o < p[PARAM_OUT] * p[PARAM_GROUPS]; o++) {
        uint16_t *to = (uint16_t *)out + o / p[PARAM_OUT] * group_elems;
        for (int64_t c = 0; c < p[PARAM_CHANNELS]; c++)
            for (int64_t y = 0; y < p[PARAM_H]; y++)
                for (int64_t x = 0; x < p[PARAM_W]; x++) {
                    const int64_t k = p[PARAM_WINDOWS]
                                          ? y * p[PARAM_PADDED] + x * p[PARAM_CHANNELS] + c
                                          : (y * taps_w + x) * p[PARAM_PADDED] + c;
                    to[tn_bf16_packed_at(depth, k, o % p[PARAM_OUT])] =
                        *(const uint16_t *)tn_conv_weight_at(weight, o, c, y, x);
                }
    }
}

static void describe_pack(const conv *v, tn_cg_kernel *kernel) {
    const tn_conv_spec *spec = v->spec;
    const int64_t panel = v->steps * TN_BF16_STEP * TN_BF16_PANEL;
    tn_cg_pack *pack = &kernel->packs[kernel->pack_count++];
    *pack = (tn_cg_pack){
        .buf = spec->weight_buf,
        .bytes = (size_t)(spec->groups * v->panels * panel) * sizeof(uint16_t),
        .pack = pack_weight,
        .params = {v->channels, v->out_channels, spec->groups, spec->kernel_h, spec->kernel_w,
                   v->padded, v->layout == WINDOWS},
    };
}

/* ---- choices ----------------------------------------------------------------------------------
 */

static bool reads_in_place(const conv *v) {
    const tn_conv_spec *spec = v->spec;
    const tn_sym *const *strides = spec->x.strides;
    const bool is_pointwise = spec->kernel_h == 1 && spec->kernel_w == 1 && spec->stride_h == 1 &&
                              spec->stride_w == 1 && spec->pad_top == 0 && spec->pad_left == 0;
    return v->has_tiles && is_pointwise && v->channels % TN_BF16_STEP == 0 &&
           spec->in_w == spec->out_w && tn_sym_is(strides[3], 1) &&
           strides[1] == tn_sym_mul(v->cg->syms, strides[2], spec->in_w);
}

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static const tn_sym *plane_elems(const conv *v) {
    const int64_t rows = v->band_rows + v->reach_h;
    return tn_sym_muli(v->cg->syms, v->plane_w, rows * v->padded);
}

/* Rows of a band: some blocks of rows, in half of L2, and bands of equal height. */
static void choose_band(conv *v) {
    const tn_conv_spec *spec = v->spec;
    v->band_rows = UNKNOWN_BAND_ROWS;
    if (tn_sym_is_const(v->plane_w) && tn_sym_is_const(spec->out_h) && spec->out_h->value > 0) {
        const int64_t width = v->plane_w->value, height = spec->out_h->value;
        const int64_t row_bytes =
            width * v->padded * v->phases_h * v->phases_w * 2 * (v->has_tiles ? 1 : 2);
        const int64_t fitting = (int64_t)v->cg->target->l2_bytes / 2 / row_bytes - v->reach_h;
        int64_t rows =
            ceildiv(v->is_one_pass && v->layout == IN_PLACE ? ONE_PASS_PIXELS : BAND_PIXELS, width);
        if (v->layout != IN_PLACE)
            rows = smaller(rows, fitting);
        rows = smaller(rows < 1 ? 1 : rows, height);
        v->band_rows = ceildiv(height, ceildiv(height, rows));
    }
    v->bands = tn_sym_ceildiv(v->cg->syms, spec->out_h, tn_sym_const(v->cg->syms, v->band_rows));
}

static void choose_task_panels(conv *v) {
    const int64_t bands = tn_sym_const_or(v->bands, 1);
    v->task_panels = 1;
    for (int64_t count = 2; v->is_one_pass && count <= TASK_PANELS; count++)
        if (v->panels % count == 0 && bands * v->panels / count >= WANTED_TASKS)
            v->task_panels = count;
}

static void choose(conv *v) {
    const tn_conv_spec *spec = v->spec;
    tn_syms *syms = v->cg->syms;
    v->has_tiles = v->cg->target->has_amx_bf16;
    v->channels = spec->in_c / spec->groups;
    v->out_channels = spec->out_c / spec->groups;
    v->padded = round_up(v->channels);
    v->taps_w = spec->kernel_w;
    v->layout = reads_in_place(v) ? IN_PLACE : PIXELS;
    const int64_t extent_h = (spec->kernel_h - 1) * spec->dilation_h + 1;
    const int64_t extent_w = (spec->kernel_w - 1) * spec->dilation_w + 1;
    v->phases_h = smaller(spec->stride_h, extent_h);
    v->phases_w = smaller(spec->stride_w, extent_w);
    v->reach_h = (extent_h - 1) / spec->stride_h;
    v->reach_w = (extent_w - 1) / spec->stride_w;
    if (round_up(spec->kernel_w * v->channels) < spec->kernel_w * v->padded) {
        v->layout = WINDOWS;
        v->padded = round_up(spec->kernel_w * v->channels);
        v->taps_w = v->phases_w = 1;
        v->reach_w = 0;
    }
    v->steps = spec->kernel_h * v->taps_w * v->padded / TN_BF16_STEP;
    v->is_one_pass = v->has_tiles && v->steps <= TN_BF16_MOST_STEPS;
    v->panels = ceildiv(v->out_channels, TN_BF16_PANEL);
    v->plane_w = tn_sym_addi(syms, spec->out_w, v->reach_w);
    if (v->plane_w)
        choose_band(v);
    if (v->bands)
        choose_task_panels(v);
}

/* ---- text -------------------------------------------------------------------------------------
 */

static void print_store_columns(const conv *v, bool is_whole) {
    tn_cg *cg = v->cg;
    const char *store = v->spec->store;
    for (int offset = 0; offset < TN_BF16_PANEL; offset += (int)cg->target->lanes) {
        const char *arguments = tn_cg_text(cg, "%s(buf, sym, image, oy, ox, o + %d", store, offset);
        const char *value = tn_cg_text(cg, "tn_load_f32(row + %d, 1, TN_W)", offset);
        if (is_whole) {
            tn_cg_line(cg, "%s, TN_W, %s);", arguments, value);
            continue;
        }
        tn_cg_line(cg, "if (left > %d)", offset);
        tn_cg_line(cg, "    %s, left - %d < TN_W ? left - %d : TN_W, %s);", arguments, offset,
                   offset, value);
    }
}

/* NAME_store: hands the results of one block of pixels, counted from `pixel` on in the rows of the
 * plane, and of one panel to the store function. */
static void print_store_function(const conv *v) {
    tn_cg *cg = v->cg;
    const bool is_ragged = v->out_channels % TN_BF16_PANEL != 0;
    const char *plane_w = tn_cg_sym(cg, v->plane_w);
    tn_cg_function function;
    tn_cg_begin_function(
        cg, &function,
        tn_cg_text(cg,
                   "static void %s_store(void *const *buf, const int64_t *sym, int64_t image,\n"
                   "    int64_t first_y, int64_t pixel, int64_t pixels, int64_t o, int64_t left, "
                   "const float *c)",
                   v->spec->name));
    tn_cg_line(cg, "int64_t oy = first_y + pixel / %s, ox = pixel %% %s;", plane_w, plane_w);
    tn_cg_line(cg, "for (int64_t i = 0; i < pixels; i++) {");
    tn_cg_line(cg, "const float *row = c + i * TN_BF16_PANEL;");
    if (v->reach_w > 0)
        tn_cg_line(cg, "if (ox < %s) {", tn_cg_sym(cg, v->spec->out_w));
    if (is_ragged) {
        tn_cg_line(cg, "if (left < TN_BF16_PANEL) {");
        print_store_columns(v, false);
        tn_cg_close(cg, " else {");
    }
    print_store_columns(v, true);
    if (is_ragged)
        tn_cg_close(cg, "");
    if (v->reach_w > 0)
        tn_cg_close(cg, "");
    tn_cg_line(cg, "if (++ox == %s)", plane_w);
    tn_cg_line(cg, "    ox = 0, oy++;");
    tn_cg_close(cg, "");
    if (!is_ragged)
        tn_cg_line(cg, "(void)left;");
    tn_cg_end_function(cg, &function);
}

/* Offsets of all steps of k in the copied planes. */
static void print_offsets(const conv *v) {
    tn_cg *cg = v->cg;
    const tn_conv_spec *spec = v->spec;
    const char *plane_w = tn_cg_sym(cg, v->plane_w);
    tn_cg_line(cg, "int64_t *const offsets = (int64_t *)(c + %d);", TN_BF16_BLOCK * TN_BF16_PANEL);
    tn_cg_line(cg, "int64_t *next_offset = offsets;");
    tn_cg_line(cg, "for (int64_t ky = 0; ky < %lld; ky++)", (long long)spec->kernel_h);
    tn_cg_line(cg, "    for (int64_t kx = 0; kx < %lld; kx++) {", (long long)v->taps_w);
    tn_cg_line(cg, "const int64_t y = ky * %lld, x = kx * %lld;", (long long)spec->dilation_h,
               (long long)spec->dilation_w);
    tn_cg_line(cg, "const int64_t plane = y %% %lld * %lld + x %% %lld;", (long long)spec->stride_h,
               (long long)v->phases_w, (long long)spec->stride_w);
    tn_cg_line(cg, "const int64_t row = plane * %lld + y / %lld;",
               (long long)(v->band_rows + v->reach_h), (long long)spec->stride_h);
    tn_cg_line(cg, "for (int64_t k = 0; k < %lld; k += TN_BF16_STEP)", (long long)v->padded);
    tn_cg_line(cg, "    *next_offset++ = (row * %s + x / %lld) * %lld + k;", plane_w,
               (long long)spec->stride_w, (long long)v->padded);
    tn_cg_close(cg, "");
}

/* Copies the input rows of the band, plane by plane. */
static void print_copy(const conv *v) {
    tn_cg *cg = v->cg;
    const tn_conv_spec *spec = v->spec;
    const tn_sym *const *strides = spec->x.strides;
    const char *kind = v->layout == WINDOWS ? "windows" : "pixels",
               *wide = v->has_tiles ? "" : "_wide";
    const char *width = tn_cg_sym(cg, v->plane_w);
    tn_cg_line(cg, "if (band_and_group != copied) {");
    tn_cg_line(cg, "for (int64_t plane = 0; plane < %lld; plane++) {",
               (long long)(v->phases_h * v->phases_w));
    tn_cg_line(cg, "const int64_t first_row = first_y * %lld - %lld + plane / %lld;",
               (long long)spec->stride_h, (long long)spec->pad_top, (long long)v->phases_w);
    tn_cg_line(cg, "const int64_t first_column = plane %% %lld - %lld;", (long long)v->phases_w,
               (long long)spec->pad_left);
    tn_cg_line(cg, "tn_bf16_%s%s(x, %s, %s, %s, %s, %s, %lld, first_row, %lld, rows + %lld,", kind,
               wide, tn_cg_sym(cg, strides[1]), tn_cg_sym(cg, strides[2]),
               tn_cg_sym(cg, strides[3]), tn_cg_sym(cg, spec->in_h), tn_cg_sym(cg, spec->in_w),
               (long long)v->channels, (long long)spec->stride_h, (long long)v->reach_h);
    const char *windows = "";
    if (v->layout == WINDOWS)
        windows = tn_cg_text(cg, "%lld, %lld, line, ", (long long)spec->kernel_w,
                             (long long)spec->dilation_w);
    tn_cg_line(cg, "    first_column, %lld, %s, %sa + plane * %s, %lld);",
               (long long)spec->stride_w, width, windows, tn_cg_sym(cg, plane_elems(v)),
               (long long)v->padded);
    tn_cg_close(cg, "");
    tn_cg_line(cg, "copied = band_and_group;");
    tn_cg_close(cg, "");
}

/* Panels of one band and group follow each other: they share the copied rows. */
static void print_task(const conv *v) {
    tn_cg *cg = v->cg;
    const tn_conv_spec *spec = v->spec;
    const int64_t panel_tasks = v->panels / v->task_panels;
    tn_cg_line(cg, "const int64_t panel = task %% %lld * %lld;", (long long)panel_tasks,
               (long long)v->task_panels);
    tn_cg_line(cg, "const int64_t band_and_group = task / %lld;", (long long)panel_tasks);
    tn_cg_line(cg, "const int64_t group = band_and_group %% %lld;", (long long)spec->groups);
    tn_cg_line(cg, "const int64_t band = band_and_group / %lld %% %s;", (long long)spec->groups,
               tn_cg_sym(cg, v->bands));
    tn_cg_line(cg, "const int64_t image = band_and_group / %lld / %s;", (long long)spec->groups,
               tn_cg_sym(cg, v->bands));
    tn_cg_line(cg, "const int64_t first_y = band * %lld, rest = %s - first_y;",
               (long long)v->band_rows, tn_cg_sym(cg, spec->out_h));
    tn_cg_line(cg, "const int64_t rows = rest < %lld ? rest : %lld;", (long long)v->band_rows,
               (long long)v->band_rows);
    tn_cg_line(cg,
               "const uint16_t *const x = (const uint16_t *)buf[%u] + %s + image * %s + group * "
               "%lld * %s;",
               spec->x.buf, tn_cg_sym(cg, spec->x.offset), tn_cg_sym(cg, spec->x.strides[0]),
               (long long)v->channels, tn_cg_sym(cg, spec->x.strides[3]));
    tn_cg_line(
        cg, "const uint16_t *const b = (const uint16_t *)buf[%u] + (group * %lld + panel) * %lld;",
        spec->weight_buf, (long long)v->panels,
        (long long)(v->steps * TN_BF16_STEP * TN_BF16_PANEL));
    tn_cg_line(cg, "const int64_t o = group * %lld + panel * TN_BF16_PANEL;",
               (long long)v->out_channels);
    tn_cg_line(cg, "const int64_t left = %lld - panel * TN_BF16_PANEL;",
               (long long)v->out_channels);
}

/* All steps of one block of 32 pixels and one panel after the other, storing one behind. */
static void print_one_pass(const conv *v, const char *a, const char *row, int64_t band_pixels) {
    tn_cg *cg = v->cg;
    const int64_t blocks = band_pixels > 0 ? ceildiv(band_pixels, 32) : TN_BF16_BLOCK / 32;
    const long long lines = (long long)ceildiv(32, blocks);
    const long long panels = (long long)v->task_panels;
    tn_cg_line(cg, "const char *next = (const char *)(b + %lld * PANEL);", panels);
    tn_cg_line(cg, "const int64_t blocks = (pixel_count + 31) / 32 * %lld;", panels);
    tn_cg_line(cg, "for (int64_t i = 0; i <= blocks; i++) {");
    tn_cg_line(cg, "if (i < blocks) {");
    tn_cg_line(cg, "const int64_t pixel = i / %lld * 32, missing = pixel_count - pixel;", panels);
    tn_cg_line(cg, "tn_amx_multiply(%s + pixel * %s, %s, missing < 32 ? missing : 32, %s,", a, row,
               row, v->layout == IN_PLACE ? "NULL" : "offsets");
    tn_cg_line(cg,
               "                b + i %% %lld * PANEL, STEPS, c + i %% 2 * 1024, 1, next, %lld);",
               panels, lines);
    tn_cg_line(cg, "next += STEPS * %lld;", lines * 64);
    tn_cg_close(cg, "");
    tn_cg_line(cg, "if (i > 0) {");
    tn_cg_line(cg, "const int64_t done = i - 1, pixel = done / %lld * 32;", panels);
    tn_cg_line(cg, "const int64_t missing = pixel_count - pixel, channel = done %% %lld * 32;",
               panels);
    tn_cg_line(cg, "%s_store(buf, sym, image, first_y, pixel, missing < 32 ? missing : 32,",
               v->spec->name);
    tn_cg_line(cg, "    o + channel, left - channel, c + done %% 2 * 1024);");
    tn_cg_close(cg, "");
    tn_cg_close(cg, "");
}

/* The band as a matrix product, a block of pixels at a time. */
static void print_product(const conv *v) {
    tn_cg *cg = v->cg;
    const tn_conv_spec *spec = v->spec;
    const bool is_in_place = v->layout == IN_PLACE;
    const char *row = tn_cg_text(cg, "%lld", (long long)v->padded);
    const char *a = "a";
    const int64_t band_pixels =
        tn_sym_is_const(v->plane_w) ? v->band_rows * v->plane_w->value - v->reach_w : 0;
    if (is_in_place) {
        row = tn_cg_sym(cg, spec->x.strides[2]);
        a = tn_cg_text(cg, "x + first_y * %s", tn_cg_sym(cg, spec->x.strides[1]));
    }
    tn_cg_line(cg, "const int64_t pixel_count = (rows - 1) * %s + %s;", tn_cg_sym(cg, v->plane_w),
               tn_cg_sym(cg, spec->out_w));
    if (v->is_one_pass) {
        print_one_pass(v, a, row, band_pixels);
        return;
    }
    tn_cg_line(cg, "for (int64_t pixel = 0; pixel < pixel_count; pixel += %d) {", TN_BF16_BLOCK);
    tn_cg_line(cg,
               "const int64_t missing = pixel_count - pixel, pixels = missing < %d ? missing : %d;",
               TN_BF16_BLOCK, TN_BF16_BLOCK);
    if (!v->has_tiles) {
        tn_cg_line(cg, "tn_bf16_multiply(%s + pixel * %s, %s, pixels, offsets, b, %lld, c);", a,
                   row, row, (long long)v->steps);
    } else {
        tn_cg_line(cg, "for (int64_t step = 0; step < STEPS; step += PASS) {");
        tn_cg_line(cg, "const int64_t steps = STEPS - step < PASS ? STEPS - step : PASS;");
        tn_cg_line(cg, "const uint16_t *const right = b + step * (TN_BF16_STEP * TN_BF16_PANEL);");
        tn_cg_line(cg, "const char *const next = (const char *)(right + PASS * (TN_BF16_STEP * "
                       "TN_BF16_PANEL));");
        tn_cg_line(cg, "tn_amx_multiply(%s + pixel * %s%s, %s, pixels, %s, right, steps, c,", a,
                   row, is_in_place ? " + step * TN_BF16_STEP" : "", row,
                   is_in_place ? "NULL" : "offsets + step");
        tn_cg_line(cg, "                step == 0, next, %lld);",
                   (long long)tn_bf16_ahead_lines(band_pixels));
        tn_cg_close(cg, "");
    }
    tn_cg_line(cg, "%s_store(buf, sym, image, first_y, pixel, pixels, o, left, c);", spec->name);
    tn_cg_close(cg, "");
}

static void print_kernel(const conv *v, const char *line_elems) {
    tn_cg *cg = v->cg;
    const bool is_in_place = v->layout == IN_PLACE;
    tn_cg_function function;
    tn_cg_begin_function(cg, &function, tn_cg_kernel_signature(cg, v->spec->name));
    if (v->is_one_pass)
        tn_cg_line(cg, "enum { STEPS = %lld, PANEL = STEPS * TN_BF16_STEP * TN_BF16_PANEL };",
                   (long long)v->steps);
    else if (v->has_tiles)
        tn_cg_line(
            cg, "enum { STEPS = %lld, PASS = %lld }; /* of k: a pass of b stays in L1 beside c */",
            (long long)v->steps, (long long)tn_bf16_pass_steps(v->steps));
    tn_cg_line(cg, "float *const c = scratch;");
    if (!is_in_place) {
        print_offsets(v);
        if (v->layout == WINDOWS)
            tn_cg_line(cg, "uint16_t *const line = (uint16_t *)(offsets + %lld);",
                       (long long)ceildiv(v->steps, 8) * 8);
        const char *type = v->has_tiles ? "uint16_t" : "float";
        tn_cg_line(cg, "%s *const a = (%s *)(offsets + %lld) + %s;", type, type,
                   (long long)ceildiv(v->steps, 8) * 8, line_elems);
        tn_cg_line(cg, "int64_t copied = -1;");
    }
    if (v->has_tiles)
        tn_cg_line(cg, "tn_amx_configure(32);");
    tn_cg_line(cg, "for (int64_t task = task_begin; task < task_end; task++) {");
    print_task(v);
    if (!is_in_place)
        print_copy(v);
    print_product(v);
    tn_cg_close(cg, "");
    if (v->has_tiles)
        tn_cg_line(cg, "tn_amx_release();");
    tn_cg_end_function(cg, &function);
}

/* Elements that one row of windows takes before it is laid out, in whole cache lines. */
static const tn_sym *line_elems(const conv *v) {
    tn_syms *syms = v->cg->syms;
    const tn_conv_spec *spec = v->spec;
    if (v->layout != WINDOWS)
        return tn_sym_const(syms, 0);
    const int64_t per_column = spec->dilation_w == 1 ? spec->stride_w : spec->kernel_w;
    const tn_sym *pixels =
        tn_sym_addi(syms, tn_sym_muli(syms, spec->out_w, per_column), spec->kernel_w);
    const tn_sym *line = tn_sym_const(syms, 32);
    return tn_sym_mul(syms, tn_sym_ceildiv(syms, tn_sym_muli(syms, pixels, v->channels), line),
                      line);
}

tn_status tn_emit_conv_bf16(tn_cg *cg, const tn_conv_spec *spec, tn_cg_kernel *out_kernel) {
    *out_kernel = (tn_cg_kernel){0};
    conv v = {.cg = cg, .spec = spec};
    choose(&v);
    TN_TRY(tn_syms_status(cg->syms));
    cg->parts |= TN_CG_PART_BF16 | (v.has_tiles ? TN_CG_PART_AMX : 0);
    tn_cg_line(
        cg,
        "/* %lldx%lld convolution of bf16, %lld to %lld channels; a task is %lld output rows by",
        (long long)spec->kernel_h, (long long)spec->kernel_w, (long long)spec->in_c,
        (long long)spec->out_c, (long long)v.band_rows);
    tn_cg_line(cg, " * %lld channels%s, input %s. */", (long long)(v.task_panels * TN_BF16_PANEL),
               v.has_tiles ? ", in AMX tiles" : "",
               v.layout == IN_PLACE ? "in place"
               : v.layout == PIXELS ? "copied with its border"
                                    : "copied as windows");
    print_store_function(&v);
    const tn_sym *line = line_elems(&v);
    print_kernel(&v, tn_cg_sym(cg, line));

    tn_syms *syms = cg->syms;
    const tn_sym *tasks = tn_sym_mul(syms, spec->batch, v.bands);
    out_kernel->task_count = tn_sym_muli(syms, tasks, spec->groups * (v.panels / v.task_panels));
    int64_t fixed = TN_BF16_BLOCK * TN_BF16_PANEL * (int64_t)sizeof(float);
    const tn_sym *scratch = tn_sym_const(syms, 0);
    if (v.layout != IN_PLACE) {
        fixed += ceildiv(v.steps, 8) * 64;
        const tn_sym *planes = tn_sym_muli(syms, plane_elems(&v), v.phases_h * v.phases_w);
        scratch = tn_sym_muli(syms, tn_sym_add(syms, planes, line), v.has_tiles ? 2 : 4);
    }
    out_kernel->scratch_bytes = tn_sym_addi(syms, scratch, fixed);
    describe_pack(&v, out_kernel);
    return tn_cg_status(cg);
}
