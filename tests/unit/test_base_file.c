/* test_base_file.c: mapping, and the writer's promise: the new file whole, or the old one
 * untouched. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* mkdtemp, dup2, setrlimit */
#endif
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

static char folder[64];
static char target[96];

static int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/tenon-test-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(target, sizeof target, "%s/out.bin", folder);
    return 0;
}

static int count_files(void) {
    int count = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(target);
    return rmdir(folder);
}

static void write_old(const char *text) {
    FILE *file = fopen(target, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void assert_content(const char *text) {
    tn_mapping mapping;
    assert_null(tn_mapping_open(target, &mapping));
    assert_int_equal(mapping.bytes, strlen(text));
    if (mapping.bytes)
        assert_memory_equal(mapping.data, text, mapping.bytes);
    tn_mapping_close(&mapping);
    assert_null(mapping.data);
}

static tn_file_writer open_writer(void) {
    tn_allocator allocator = tn_allocator_system();
    tn_file_writer writer;
    assert_null(tn_file_writer_open(&writer, &allocator, target));
    return writer;
}

static void mapping_refuses(void **state) {
    (void)state;
    tn_mapping mapping = {.bytes = 5};
    tn_status status = tn_mapping_open("/nonexistent/file", &mapping);
    assert_int_equal(tn_status_code(status), TN_NOT_FOUND);
    assert_string_equal(tn_status_message(status),
                        "cannot open '/nonexistent/file': No such file or directory");
    assert_int_equal(mapping.bytes, 0);
    tn_status_free(status);
    status = tn_mapping_open(folder, &mapping);
    assert_int_equal(tn_status_code(status), TN_INVALID_ARGUMENT);
    assert_non_null(strstr(tn_status_message(status), "is a directory"));
    tn_status_free(status);
    status = tn_mapping_open("/dev/zero", &mapping);
    assert_int_equal(tn_status_code(status), TN_INVALID_ARGUMENT);
    tn_status_free(status);
    assert_int_equal(mkfifo(target, 0600), 0);
    status = tn_mapping_open(target, &mapping); /* must not wait for a writer */
    assert_int_equal(tn_status_code(status), TN_INVALID_ARGUMENT);
    tn_status_free(status);
}

static void mapping_of_empty_file(void **state) {
    (void)state;
    write_old("");
    assert_content("");
}

static void writes_whole(void **state) {
    (void)state;
    write_old("old");
    tn_file_writer writer = open_writer();
    assert_null(tn_file_writer_append(&writer, "head", 4));
    assert_null(tn_file_writer_align(&writer, 8));
    assert_null(tn_file_writer_align(&writer, 8));
    assert_null(tn_file_writer_append(&writer, "tail", 4));
    assert_int_equal(writer.position, 12);
    assert_null(tn_file_writer_patch(&writer, 4, "PATC", 4));
    assert_null(tn_file_writer_append(&writer, "!", 1));
    assert_content("old"); /* until the commit */
    assert_null(tn_file_writer_commit(&writer));
    tn_file_writer_close(&writer);
    assert_content("headPATCtail!");
    assert_int_equal(count_files(), 1);
    struct stat info;
    mode_t mask = umask(0);
    umask(mask);
    assert_int_equal(stat(target, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0666 & ~mask);
}

static void aligns_with_zeros(void **state) {
    (void)state;
    static const char zeros[4096];
    tn_file_writer writer = open_writer();
    assert_null(tn_file_writer_append(&writer, "x", 1));
    assert_null(tn_file_writer_align(&writer, 4096));
    assert_int_equal(writer.position, 4096);
    assert_null(tn_file_writer_commit(&writer));
    tn_file_writer_close(&writer);
    tn_mapping mapping;
    assert_null(tn_mapping_open(target, &mapping));
    assert_int_equal(mapping.bytes, 4096);
    assert_memory_equal(mapping.data + 1, zeros, 4095);
    tn_mapping_close(&mapping);
}

static void patch_stays_inside(void **state) {
    (void)state;
    tn_file_writer writer = open_writer();
    assert_null(tn_file_writer_append(&writer, "1234", 4));
    assert_null(tn_file_writer_patch(&writer, 2, "ab", 2));
    static const struct {
        uint64_t position;
        size_t bytes;
    } outside[] = {{3, 2}, {5, 0}, {UINT64_MAX, 2}, {0, 5}};
    for (size_t i = 0; i < 4; i++) {
        tn_status status =
            tn_file_writer_patch(&writer, outside[i].position, "abcde", outside[i].bytes);
        assert_int_equal(tn_status_code(status), TN_OUT_OF_RANGE);
        tn_status_free(status);
    }
    tn_file_writer_close(&writer);
    assert_int_equal(count_files(), 0);
}

static void abandoned_leaves_the_old(void **state) {
    (void)state;
    write_old("old");
    tn_file_writer writer = open_writer();
    assert_null(tn_file_writer_append(&writer, "new", 3));
    assert_int_equal(count_files(), 2);
    tn_file_writer_close(&writer);
    tn_file_writer_close(&writer); /* twice is harmless */
    assert_int_equal(count_files(), 1);
    assert_content("old");
}

/* A device that is always full stands behind the temporary file. */
static void full_disk_leaves_the_old(void **state) {
    (void)state;
    write_old("old");
    tn_file_writer writer = open_writer();
    int full = open("/dev/full", O_WRONLY);
    assert_true(full >= 0);
    assert_true(dup2(full, writer.fd) >= 0);
    close(full);
    tn_status status = tn_file_writer_append(&writer, "new", 3);
    assert_int_equal(tn_status_code(status), TN_IO);
    assert_non_null(strstr(tn_status_message(status), "No space left on device"));
    assert_non_null(strstr(tn_status_message(status), target));
    assert_int_equal(writer.position, 0);
    tn_status_free(status);
    tn_file_writer_close(&writer);
    assert_int_equal(count_files(), 1);
    assert_content("old");
}

/* A limit in the middle of a write: part of it goes through, the rest fails. */
static void size_limit_leaves_the_old(void **state) {
    (void)state;
    static const char data[8192] = "data";
    write_old("old");
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    struct rlimit low = {.rlim_cur = 6000, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    tn_file_writer writer = open_writer();
    tn_status first = tn_file_writer_append(&writer, data, 4096);
    tn_status second = tn_file_writer_append(&writer, data, sizeof data);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_null(first);
    assert_int_equal(tn_status_code(second), TN_IO);
    assert_non_null(strstr(tn_status_message(second), "File too large"));
    assert_int_equal(writer.position, 4096);
    tn_status_free(second);
    tn_file_writer_close(&writer);
    assert_int_equal(count_files(), 1);
    assert_content("old");
}

static void failed_commit_leaves_no_temporary(void **state) {
    (void)state;
    tn_file_writer writer = open_writer();
    assert_null(tn_file_writer_append(&writer, "new", 3));
    assert_int_equal(mkdir(target, 0700), 0); /* what stands there now cannot be replaced */
    tn_status status = tn_file_writer_commit(&writer);
    assert_int_equal(tn_status_code(status), TN_IO);
    tn_status_free(status);
    tn_file_writer_close(&writer);
    assert_int_equal(count_files(), 1);
    assert_int_equal(rmdir(target), 0);

    writer = open_writer();
    close(writer.fd); /* so that fsync fails */
    status = tn_file_writer_commit(&writer);
    assert_int_equal(tn_status_code(status), TN_IO);
    assert_non_null(strstr(tn_status_message(status), "cannot sync"));
    tn_status_free(status);
    tn_file_writer_close(&writer);
    assert_int_equal(count_files(), 0);
}

static void writer_refuses(void **state) {
    (void)state;
    tn_allocator allocator = tn_allocator_system();
    tn_file_writer writer;
    tn_status status = tn_file_writer_open(&writer, &allocator, "/dev/null");
    assert_int_equal(tn_status_code(status), TN_INVALID_ARGUMENT);
    tn_status_free(status);
    tn_file_writer_close(&writer);
    status = tn_file_writer_open(&writer, &allocator, "/nonexistent/folder/file");
    assert_int_equal(tn_status_code(status), TN_NOT_FOUND);
    tn_status_free(status);
    tn_file_writer_close(&writer);
}

static void name_taken(void **state) {
    (void)state;
    tn_file_writer first = open_writer();
    tn_file_writer second = open_writer();
    assert_string_not_equal(first.temp_path, second.temp_path);
    assert_null(tn_file_writer_append(&first, "first", 5));
    assert_null(tn_file_writer_append(&second, "second", 6));
    assert_null(tn_file_writer_commit(&second));
    assert_null(tn_file_writer_commit(&first));
    tn_file_writer_close(&first);
    tn_file_writer_close(&second);
    assert_content("first");
    assert_int_equal(count_files(), 1);
}

static void bare_file_name(void **state) {
    (void)state;
    char before[4096];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder), 0);
    tn_allocator allocator = tn_allocator_system();
    tn_file_writer writer;
    assert_null(tn_file_writer_open(&writer, &allocator, "out.bin"));
    assert_null(tn_file_writer_append(&writer, "x", 1));
    assert_null(tn_file_writer_commit(&writer));
    tn_file_writer_close(&writer);
    assert_int_equal(chdir(before), 0);
    assert_content("x");
}

static void writer_without_memory(void **state) {
    (void)state;
    for (size_t n = 1; n <= 2; n++) {
        tn_test_allocator counter;
        tn_allocator allocator = tn_test_allocator_init(&counter, tn_allocator_system(), n);
        tn_file_writer writer;
        assert_int_equal(tn_status_code(tn_file_writer_open(&writer, &allocator, target)),
                         TN_OUT_OF_MEMORY);
        tn_file_writer_close(&writer);
        assert_int_equal(atomic_load(&counter.live_bytes), 0);
    }
    assert_int_equal(count_files(), 0);
}

#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        FILE_TEST(mapping_refuses),
        FILE_TEST(mapping_of_empty_file),
        FILE_TEST(writes_whole),
        FILE_TEST(aligns_with_zeros),
        FILE_TEST(patch_stays_inside),
        FILE_TEST(abandoned_leaves_the_old),
        FILE_TEST(full_disk_leaves_the_old),
        FILE_TEST(size_limit_leaves_the_old),
        FILE_TEST(failed_commit_leaves_no_temporary),
        FILE_TEST(writer_refuses),
        FILE_TEST(name_taken),
        FILE_TEST(bare_file_name),
        FILE_TEST(writer_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
