/* file.c: files through POSIX calls: mapping for reading, and a writer whose file appears whole
 * under its final name or not at all. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* strerror_l, pwrite, fsync */
#endif
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"

/* An error from errno: "cannot open 'x': No such file or directory". */
static tn_status io_error(const char *action, const char *path) {
    int number = errno;
    tn_code code = number == ENOENT || number == ENOTDIR ? TN_NOT_FOUND : TN_IO;
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    tn_status status = tn_error_make(code, "cannot %s '%s': %s", action, path,
                                     c_locale ? strerror_l(number, c_locale) : "unknown error");
    if (c_locale)
        freelocale(c_locale);
    return status;
}

/* ---- reading -------------------------------------------------------------------------------- */

static tn_status map_descriptor(int fd, const char *path, tn_mapping *out_mapping) {
    struct stat info;
    if (fstat(fd, &info) != 0)
        return io_error("examine", path);
    if (!S_ISREG(info.st_mode))
        return tn_error_make(TN_INVALID_ARGUMENT, "'%s' is a %s, expected a regular file", path,
                             S_ISDIR(info.st_mode) ? "directory" : "device, pipe or socket");
    if ((uint64_t)info.st_size > SIZE_MAX)
        return tn_error_make(TN_OUT_OF_RANGE, "'%s' has %lld bytes, more than can be mapped", path,
                             (long long)info.st_size);
    size_t bytes = (size_t)info.st_size;
    if (bytes == 0)
        return NULL; /* mmap refuses a length of 0 */
    void *data = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        return io_error("map", path);
    *out_mapping = (tn_mapping){.data = data, .bytes = bytes};
    return NULL;
}

tn_status tn_mapping_open(const char *path, tn_mapping *out_mapping) {
    *out_mapping = (tn_mapping){0};
    /* O_NONBLOCK: opening a pipe must come back to be refused, not wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return io_error("open", path);
    tn_status status = map_descriptor(fd, path, out_mapping);
    close(fd);
    return status;
}

void tn_mapping_close(tn_mapping *mapping) {
    if (mapping->data) {
        union {
            const uint8_t *constant;
            void *plain;
        } address = {.constant = mapping->data};
        munmap(address.plain, mapping->bytes);
    }
    *mapping = (tn_mapping){0};
}

/* ---- writing -------------------------------------------------------------------------------- */

static tn_status copy_path(const tn_allocator *allocator, const char *path, char **out_copy) {
    size_t bytes = strlen(path) + 1;
    TN_TRY(tn_alloc(allocator, bytes, out_copy));
    memcpy(*out_copy, path, bytes);
    return NULL;
}

/* The room for ".tmp-", a process number, a dash, an attempt's number and the zero. */
enum { TEMP_SUFFIX_BYTES = 40, TEMP_ATTEMPTS = 1000 };

/* Creates the temporary file under a name nobody else has. Not mkstemp, whose files only their
 * owner may read: here the kernel applies the user's umask. */
static tn_status open_temp(tn_file_writer *writer) {
    size_t path_len = strlen(writer->final_path);
    for (int attempt = 0; attempt < TEMP_ATTEMPTS; attempt++) {
        snprintf(writer->temp_path + path_len, TEMP_SUFFIX_BYTES, ".tmp-%ld-%d", (long)getpid(),
                 attempt);
        writer->fd = open(writer->temp_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (writer->fd >= 0)
            return NULL;
        if (errno != EEXIST)
            return io_error("create", writer->temp_path);
    }
    return io_error("create", writer->temp_path);
}

tn_status tn_file_writer_open(tn_file_writer *out_writer, const tn_allocator *allocator,
                              const char *path) {
    *out_writer = (tn_file_writer){.fd = -1, .allocator = *allocator};
    struct stat info;
    /* A device must not be replaced by a file, nor a folder fail only after all the work. */
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return tn_error_make(TN_INVALID_ARGUMENT, "'%s' exists and is not a regular file", path);
    tn_status status = copy_path(allocator, path, &out_writer->final_path);
    if (!status)
        status = tn_alloc(allocator, strlen(path) + TEMP_SUFFIX_BYTES, &out_writer->temp_path);
    if (!status) {
        memcpy(out_writer->temp_path, path, strlen(path));
        status = open_temp(out_writer);
    }
    if (status)
        tn_file_writer_close(out_writer);
    return status;
}

static tn_status write_at(tn_file_writer *writer, uint64_t position, const void *data,
                          size_t bytes) {
    const uint8_t *p = data;
    while (bytes > 0) {
        /* Linux writes at most 2 GiB at once; smaller pieces need no special case. */
        size_t piece = bytes < (1u << 30) ? bytes : (1u << 30);
        ssize_t written = pwrite(writer->fd, p, piece, (off_t)position);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            if (written == 0)
                errno = ENOSPC;
            return io_error("write", writer->temp_path);
        }
        p += written;
        bytes -= (size_t)written;
        position += (uint64_t)written;
    }
    return NULL;
}

tn_status tn_file_writer_append(tn_file_writer *writer, const void *data, size_t bytes) {
    TN_TRY(write_at(writer, writer->position, data, bytes));
    writer->position += bytes;
    return NULL;
}

tn_status tn_file_writer_align(tn_file_writer *writer, size_t alignment) {
    static const uint8_t zeros[64];
    size_t missing = (size_t)(-writer->position & (alignment - 1));
    while (missing > 0) {
        size_t piece = missing < sizeof zeros ? missing : sizeof zeros;
        TN_TRY(tn_file_writer_append(writer, zeros, piece));
        missing -= piece;
    }
    return NULL;
}

tn_status tn_file_writer_patch(tn_file_writer *writer, uint64_t position, const void *data,
                               size_t bytes) {
    if (position > writer->position || bytes > writer->position - position)
        return tn_error_make(TN_OUT_OF_RANGE,
                             "patch of %zu bytes at %llu of '%s', which has %llu bytes so far",
                             bytes, (unsigned long long)position, writer->final_path,
                             (unsigned long long)writer->position);
    return write_at(writer, position, data, bytes);
}

/* Makes the rename survive a power failure. temp_path is free by now and serves as scratch. */
static tn_status sync_folder(tn_file_writer *writer) {
    char *folder = writer->temp_path;
    memcpy(folder, writer->final_path, strlen(writer->final_path) + 1);
    char *slash = strrchr(folder, '/');
    if (!slash)
        memcpy(folder, ".", 2);
    else
        slash[slash == folder] = 0; /* "/x" is in "/" */
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return NULL; /* a folder may be writable but not readable; nothing more can be done */
    tn_status status = NULL;
    /* Some file systems cannot sync a folder and say EINVAL. */
    if (fsync(fd) != 0 && errno != EINVAL)
        status = io_error("sync the folder of", writer->final_path);
    close(fd);
    return status;
}

tn_status tn_file_writer_commit(tn_file_writer *writer) {
    if (fsync(writer->fd) != 0)
        return io_error("sync", writer->temp_path);
    int fd = writer->fd;
    writer->fd = -1;
    if (close(fd) != 0) {
        tn_status status = io_error("close", writer->temp_path);
        unlink(writer->temp_path);
        return status;
    }
    if (rename(writer->temp_path, writer->final_path) != 0) {
        tn_status status = io_error("rename to", writer->final_path);
        unlink(writer->temp_path);
        return status;
    }
    return sync_folder(writer);
}

void tn_file_writer_close(tn_file_writer *writer) {
    if (writer->fd >= 0) {
        close(writer->fd);
        unlink(writer->temp_path);
    }
    if (writer->temp_path)
        tn_alloc_free(&writer->allocator, writer->temp_path,
                      strlen(writer->final_path) + TEMP_SUFFIX_BYTES);
    if (writer->final_path)
        tn_alloc_free(&writer->allocator, writer->final_path, strlen(writer->final_path) + 1);
    *writer = (tn_file_writer){.fd = -1, .allocator = writer->allocator};
}
