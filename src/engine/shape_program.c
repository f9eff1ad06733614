/* shape_program.c: evaluating sizes, in rounds: what the inputs' shapes say, then what each call's
 * results add. */
#include "base/checked.h"
#include "engine/program.h"

static bool floor_divide(int64_t a, int64_t b, int64_t *out_quotient, int64_t *out_remainder) {
    if (b == 0 || (a == INT64_MIN && b == -1))
        return false;
    int64_t quotient = a / b, remainder = a % b;
    if (remainder != 0 && (remainder < 0) != (b < 0)) {
        quotient -= 1;
        remainder += b;
    }
    *out_quotient = quotient;
    *out_remainder = remainder;
    return true;
}

static bool eval_instr(const tn_rec_instr *instr, const int64_t *v, int64_t *out) {
    int64_t unused;
    switch ((tn_shape_op)instr->op) {
    case TN_SHAPE_ADD:
        return tn_add_i64(v[instr->a], v[instr->b], out);
    case TN_SHAPE_MUL:
        return tn_mul_i64(v[instr->a], v[instr->b], out);
    case TN_SHAPE_FLOORDIV:
        return floor_divide(v[instr->a], v[instr->b], out, &unused);
    case TN_SHAPE_MOD:
        return floor_divide(v[instr->a], v[instr->b], &unused, out);
    case TN_SHAPE_MIN:
        *out = v[instr->a] < v[instr->b] ? v[instr->a] : v[instr->b];
        return true;
    case TN_SHAPE_MAX:
        *out = v[instr->a] > v[instr->b] ? v[instr->a] : v[instr->b];
        return true;
    case TN_SHAPE_EQ:
        *out = v[instr->a] == v[instr->b];
        return true;
    case TN_SHAPE_LE:
        *out = v[instr->a] <= v[instr->b];
        return true;
    case TN_SHAPE_SELECT:
        *out = v[instr->a] ? v[instr->b] : v[instr->c];
        return true;
    case TN_SHAPE_CONST:
        *out = instr->value;
        return true;
    case TN_SHAPE_INPUT: /* not computed from values */
    case TN_SHAPE_RESULT:
    case TN_SHAPE_ITEM:
        break;
    }
    return true;
}

void tn_program_rounds(const tn_program *program, uint32_t *out_rounds) {
    for (uint32_t i = 0; i < program->instr_count; i++) {
        const tn_rec_instr *instr = &program->instrs[i];
        uint32_t round = 0;
        if (tn_instr_is_of_call(instr)) {
            round = instr->a + 1;
        } else if (instr->op != TN_SHAPE_CONST && instr->op != TN_SHAPE_INPUT) {
            const uint32_t operands[] = {instr->a, instr->b, instr->c};
            for (int k = 0; k < (instr->op == TN_SHAPE_SELECT ? 3 : 2); k++)
                round = out_rounds[operands[k]] > round ? out_rounds[operands[k]] : round;
        }
        out_rounds[i] = round;
    }
}

tn_status tn_program_eval(const tn_program *program, const int64_t (*input_dims)[TN_MAX_RANK],
                          const uint32_t *rounds, uint32_t round, int64_t *inout_values) {
    for (uint32_t i = 0; i < program->instr_count; i++) {
        const tn_rec_instr *instr = &program->instrs[i];
        if (rounds && rounds[i] != round)
            continue;
        if (instr->op == TN_SHAPE_INPUT)
            inout_values[i] = input_dims[instr->a][instr->b];
        else if (!eval_instr(instr, inout_values, &inout_values[i]))
            return tn_error_make(TN_OUT_OF_RANGE,
                                 "shape instruction %u: operation %u of %lld and %lld overflows or "
                                 "divides by zero",
                                 i, instr->op, (long long)inout_values[instr->a],
                                 (long long)inout_values[instr->b]);
    }
    return NULL;
}
