/* step_check.c: primitives that an engine file names, held against the primitives' own rules of
 * shapes and dtypes. The interpreter trusts sizes, and an engine file may be hostile, so each call
 * is typed once when shapes change; compiled kernels cannot be checked, and are why an engine with
 * native code needs the caller's trust. */
#include "base/arena.h"
#include "run/context.h"

typedef struct step_checker {
    tn_context *context;
    const tn_program *program;
    tn_arena arena;
    tn_syms *syms;
} step_checker;

static const tn_tensor *tensor_at(const step_checker *c, uint32_t tensor) {
    return tensor == TN_NO_INDEX ? NULL : &c->context->tensors[tensor];
}

static tn_status type_of(step_checker *c, const tn_tensor *tensor, tn_type **out_type) {
    TN_ARENA_TRY(&c->arena, *out_type, 1);
    (*out_type)->dtype = tensor->dtype;
    (*out_type)->rank = tensor->rank;
    for (uint32_t d = 0; d < tensor->rank; d++)
        (*out_type)->dims[d] = tn_sym_const(c->syms, tensor->dims[d]);
    return tn_syms_status(c->syms);
}

static tn_status arg_of(step_checker *c, const tn_resolved_arg *resolved, tn_arg *out) {
    *out = (tn_arg){.kind = resolved->kind, .count = resolved->count};
    switch (resolved->kind) {
    case TN_ARG_VALUE:
    case TN_ARG_VALUES:
        out->operand = resolved->operand;
        break;
    case TN_ARG_INT:
        out->i = tn_sym_const(c->syms, resolved->i);
        break;
    case TN_ARG_INTS: {
        const tn_sym **ints = NULL;
        TN_ARENA_TRY(&c->arena, ints, resolved->count + 1);
        for (uint32_t i = 0; i < resolved->count; i++)
            ints[i] = tn_sym_const(c->syms, resolved->ints[i]);
        out->ints = ints;
        break;
    }
    case TN_ARG_FLOAT:
        out->f = resolved->f;
        break;
    case TN_ARG_FLOATS:
        out->floats = resolved->floats;
        break;
    case TN_ARG_BOOL:
        out->b = resolved->b;
        break;
    case TN_ARG_STR:
        out->s = resolved->s;
        break;
    case TN_ARG_DTYPE:
        out->dtype = resolved->dtype;
        break;
    case TN_ARG_NONE:
    case TN_ARG_BOOLS: /* no primitive takes these */
    case TN_ARG_STRS:
    case TN_ARG_GRAPH:
        break;
    }
    return tn_syms_status(c->syms);
}

static tn_status compare_result(uint32_t index, const tn_tensor *seen, const tn_type *wanted) {
    bool is_equal = seen->dtype == wanted->dtype && seen->rank == wanted->rank;
    for (uint32_t d = 0; is_equal && d < seen->rank; d++)
        is_equal = tn_sym_is(wanted->dims[d], seen->dims[d]);
    if (is_equal)
        return NULL;
    return tn_error_make(TN_CORRUPT, "result %u has not the shape and dtype of its primitive",
                         index);
}

static tn_status check_prim(step_checker *c, const tn_rec_step *step, const tn_launch *launch) {
    const uint32_t *operands = c->program->indices + step->operands.first;
    const uint32_t *results = c->program->indices + step->results.first;
    const tn_tensor **tensors = NULL;
    const tn_type **types = NULL;
    tn_arg *args = NULL;
    TN_ARENA_TRY(&c->arena, tensors, step->operands.count + 1);
    TN_ARENA_TRY(&c->arena, types, step->operands.count + 1);
    TN_ARENA_TRY(&c->arena, args, step->args.count + 1);
    for (uint32_t i = 0; i < step->operands.count; i++) {
        tn_type *type = NULL;
        tensors[i] = tensor_at(c, operands[i]);
        if (tensors[i])
            TN_TRY(type_of(c, tensors[i], &type));
        types[i] = type;
    }
    TN_TRY(tn_interp_check(launch->prim, tensors, step->operands.count, launch->args,
                           step->args.count, step->results.count));
    for (uint32_t i = 0; i < step->args.count; i++)
        TN_TRY(arg_of(c, &launch->args[i], &args[i]));
    tn_type inferred[TN_PRIM_RESULTS_MAX];
    uint32_t count = 0;
    TN_TRY(tn_prim_infer(c->syms, launch->prim, types, step->operands.count, args, step->args.count,
                         inferred, &count));
    for (uint32_t i = 0; i < count; i++)
        TN_TRY(compare_result(i, &c->context->tensors[results[i]], &inferred[i]));
    return NULL;
}

static tn_status check_all(step_checker *c, uint32_t round) {
    TN_TRY(tn_syms_create(&c->arena, &c->syms));
    for (uint32_t i = 0; i < c->program->step_count; i++) {
        const tn_rec_step *step = &c->program->steps[i];
        if (step->kind == TN_STEP_PRIM && c->context->step_rounds[i] == round)
            TN_TRY_CTX(check_prim(c, step, &c->context->launches[i]),
                       "while checking step %u of the engine", i);
    }
    return NULL;
}

tn_status tn_context_check_prims(tn_context *context, uint32_t round) {
    const tn_engine *engine = context->session->engine;
    step_checker c = {.context = context, .program = &engine->file.program};
    tn_arena_init(&c.arena, engine->env->allocator);
    tn_status status = check_all(&c, round);
    tn_arena_deinit(&c.arena);
    return status;
}
