/* golden.c: reading, comparing and rewriting golden files. */
#include "golden.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"

static const char separator[] = "----\n";

/* Splits after the separator's line; without one all is input. */
static tn_str split_file(tn_str text, tn_str *out_input) {
    for (size_t i = 0; i + sizeof separator - 1 <= text.len; i++) {
        bool is_line_start = i == 0 || text.data[i - 1] == '\n';
        if (is_line_start && memcmp(text.data + i, separator, sizeof separator - 1) == 0) {
            *out_input = (tn_str){text.data, i};
            size_t used = i + sizeof separator - 1;
            return (tn_str){text.data + used, text.len - used};
        }
    }
    *out_input = text;
    return TN_STR("");
}

static void print_error(tn_buf *out, tn_status status) {
    tn_buf_clear(out);
    tn_buf_printf(out, "error: %s\n", tn_status_message(status));
    const char *note = NULL;
    for (size_t i = 0; (note = tn_status_note(status, i)); i++)
        tn_buf_printf(out, "  %s\n", note);
    tn_status_free(status);
}

static tn_status write_file(const char *path, tn_str input, tn_str output) {
    tn_allocator system = tn_allocator_system();
    tn_file_writer writer;
    tn_status status = tn_file_writer_open(&writer, &system, path);
    if (!status)
        status = tn_file_writer_append(&writer, input.data, input.len);
    if (!status)
        status = tn_file_writer_append(&writer, separator, sizeof separator - 1);
    if (!status)
        status = tn_file_writer_append(&writer, output.data, output.len);
    if (!status)
        status = tn_file_writer_commit(&writer);
    tn_file_writer_close(&writer);
    return status;
}

/* Shows the first line that differs. */
static void report(const char *path, tn_str expected, tn_str seen) {
    int line = 0;
    tn_str expected_line = {0}, seen_line = {0};
    do {
        expected = tn_str_split(expected, '\n', &expected_line);
        seen = tn_str_split(seen, '\n', &seen_line);
        line++;
    } while (tn_str_equal(expected_line, seen_line) && (expected.len || seen.len));
    fprintf(stderr, "%s: output line %d\n  expected: %.*s\n  seen:     %.*s\n", path, line,
            TN_STR_ARG(expected_line), TN_STR_ARG(seen_line));
}

static tn_status run_file(tn_str content, const char *path, bool is_blessing, tn_golden_run run,
                          bool *out_is_equal) {
    tn_str input;
    tn_str expected = split_file(content, &input);
    tn_arena arena;
    tn_buf out;
    tn_arena_init(&arena, tn_allocator_system());
    tn_buf_init(&out, tn_allocator_system());
    tn_status failure = run(&arena, input, &out);
    if (failure)
        print_error(&out, failure);
    tn_status status = tn_buf_status(&out);
    *out_is_equal = !status && tn_str_equal(expected, tn_buf_view(&out));
    if (!status && !*out_is_equal && is_blessing)
        status = write_file(path, input, tn_buf_view(&out));
    else if (!status && !*out_is_equal)
        report(path, expected, tn_buf_view(&out));
    tn_buf_deinit(&out);
    tn_arena_deinit(&arena);
    return status;
}

int tn_golden_main(int argc, char **argv, tn_golden_run run) {
    bool is_blessing = argc == 3 && strcmp(argv[1], "--bless") == 0;
    if (argc != 2 && !is_blessing) {
        fprintf(stderr, "usage: %s [--bless] FILE\n", argv[0]);
        return 2;
    }
    const char *path = argv[argc - 1];
    tn_mapping mapping;
    bool is_equal = false;
    tn_status status = tn_mapping_open(path, &mapping);
    if (!status)
        status = run_file((tn_str){(const char *)mapping.data, mapping.bytes}, path, is_blessing,
                          run, &is_equal);
    tn_mapping_close(&mapping);
    if (status) {
        fprintf(stderr, "%s\n", tn_status_message(status));
        tn_status_free(status);
        return 2;
    }
    return is_equal || is_blessing ? 0 : 1;
}
