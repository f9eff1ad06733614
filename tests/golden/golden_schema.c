/* golden_schema.c: one schema a line in; the parsed one printed, or the error, out. */
#include "golden.h"
#include "ir/schema.h"

static tn_status run(tn_arena *arena, tn_str input, tn_buf *out) {
    while (input.len) {
        tn_str line;
        const tn_schema *schema = NULL;
        input = tn_str_split(input, '\n', &line);
        if (line.len == 0 || tn_str_starts(line, "#")) {
            tn_buf_printf(out, "%.*s\n", TN_STR_ARG(line));
            continue;
        }
        tn_status status = tn_schema_parse(arena, line, &schema);
        if (status)
            tn_buf_printf(out, "! %s", tn_status_message(status));
        else
            tn_schema_print(out, schema);
        tn_buf_append(out, "\n", 1);
        tn_status_free(status);
    }
    return NULL;
}

int main(int argc, char **argv) {
    return tn_golden_main(argc, argv, run);
}
