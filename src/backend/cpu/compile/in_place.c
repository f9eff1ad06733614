/* in_place.c: results that are written over operands. Kernels say, while they are printed, which
 * operands they read only at the point that writes the same place of the result (nest.h); whether
 * that was the operand's last use is known after the last step. */
#include "backend/cpu/compile/segment.h"

tn_status tn_segment_note_heir(tn_segment *s, uint32_t operand, uint32_t result) {
    s->heirs =
        tn_arena_grow(s->arena, s->heirs, s->heir_count, &s->heir_capacity, sizeof *s->heirs);
    if (!s->heirs)
        return tn_error_out_of_memory();
    s->heirs[s->heir_count++] = (tn_heir){operand, result};
    return NULL;
}

/* The first candidate of each result that holds; an operand has one at most. */
void tn_segment_choose_heirs(tn_segment *s) {
    for (size_t i = 0; i < s->heir_count; i++) {
        uint32_t index = s->heirs[i].operand;
        const tn_rec_buffer *operand = tn_pb_buffer_at(s->pb, index);
        tn_rec_buffer *result = tn_pb_buffer_at(s->pb, s->heirs[i].result);
        bool is_last_use = operand->kind == TN_BUFFER_ARENA && result->kind == TN_BUFFER_ARENA &&
                           operand->last_step == result->first_step;
        if (is_last_use && result->over == 0 && index < s->heirs[i].result &&
            operand->bytes == result->bytes)
            result->over = index + 1;
    }
}
