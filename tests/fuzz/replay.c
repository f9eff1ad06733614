/* replay.c: runs a fuzz target without a fuzzer: `fuzz_NAME FILE|FOLDER...`.
 *
 * Each file is given to the target as it is, cut short at up to 64 places, and changed in up to
 * 4000 ways that its own bytes determine, so that a run is the same everywhere and needs no clang.
 * Inputs lie in memory of exactly their size, so that AddressSanitizer sees the first byte read
 * outside. Before each call the input is written to "input" in the current folder; after a crash it
 * is the one that did it. A build with -DTENON_FUZZ=ON (clang) links libFuzzer in place of this
 * file.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Together bounds the time spent on one file. */
enum { MOST_CUTS = 64, MOST_CHANGES = 4000 };
static const size_t most_bytes = (size_t)32 << 20;

static size_t calls;
static const uint8_t *current;
static size_t current_size;

static void fail(const char *what, const char *path) {
    fprintf(stderr, "%s: %s\n", path, what);
    exit(1);
}

/* Only what a signal handler may call. */
static void save_current(void) {
    int fd = open("crash", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, current, current_size) != (ssize_t)current_size)
        return;
    static const char text[] = "fuzz: the input is in the file \"crash\"\n";
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        return;
    close(fd);
}

static void on_signal(int number) {
    save_current();
    signal(number, SIG_DFL);
    raise(number);
}

/* Present in programs built with a sanitizer, whose reports end the process without a signal. */
extern void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void watch_for_crashes(void) {
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(save_current);
    static const int numbers[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTERM};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        /* A sanitizer has its own handler for the faults; SIGABRT and SIGTERM are ours. */
        if (!__sanitizer_set_death_callback || numbers[i] == SIGABRT || numbers[i] == SIGTERM)
            signal(numbers[i], on_signal);
}

static void call(const uint8_t *data, size_t size) {
    uint8_t *exact = malloc(size ? size : 1);
    if (!exact)
        fail("out of memory", "replay");
    if (size)
        memcpy(exact, data, size);
    current = exact;
    current_size = size;
    LLVMFuzzerTestOneInput(size ? exact : exact + 1, size);
    free(exact);
    calls++;
}

/* xorshift64*: small, and the same on every machine. */
static uint64_t next_random(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

/* One edit in place or of length; returns the new size, at most size + 64. */
static size_t edit(uint8_t *data, size_t size, uint64_t *random) {
    static const uint64_t odd_numbers[] = {
        0,          1,          0x7f,       0x80,      0xff,       0x7fff,     0x8000,     0xffff,
        0x7fffffff, 0x80000000, 0xffffffff, INT64_MAX, 1ULL << 63, UINT64_MAX, 1ULL << 32, 64,
    };
    if (size == 0) {
        data[0] = (uint8_t)next_random(random);
        return 1;
    }
    size_t at = next_random(random) % size;
    size_t span = 1 + next_random(random) % 64;
    if (span > size - at)
        span = size - at;
    switch (next_random(random) % 6) {
    case 0:
        data[at] ^= (uint8_t)(1u << next_random(random) % 8);
        return size;
    case 1:
        data[at] = (uint8_t)next_random(random);
        return size;
    case 2: { /* a number of 1, 2, 4 or 8 bytes that lies at some limit */
        uint64_t number =
            odd_numbers[next_random(random) % (sizeof odd_numbers / sizeof(uint64_t))];
        size_t width = (size_t)1 << next_random(random) % 4;
        memcpy(data + at, &number, width < size - at ? width : size - at);
        return size;
    }
    case 3: /* remove */
        memmove(data + at, data + at + span, size - at - span);
        return size - span;
    case 4: /* repeat */
        memmove(data + at + span, data + at, size - at);
        return size + span;
    default: /* copy from elsewhere */
        memmove(data + at, data + next_random(random) % (size - span + 1), span);
        return size;
    }
}

static void replay_bytes(const uint8_t *data, size_t size) {
    call(data, size);
    for (size_t i = 0; i < MOST_CUTS && i < size; i++)
        call(data, size <= MOST_CUTS ? i : size / MOST_CUTS * i);

    size_t changes = most_bytes / (size + 1);
    if (changes > MOST_CHANGES)
        changes = MOST_CHANGES;
    enum { MOST_EDITS = 8 };
    uint8_t *changed = malloc(size + MOST_EDITS * 64 + 1);
    if (!changed)
        fail("out of memory", "replay");
    uint64_t random = 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < size; i++)
        random = (random ^ data[i]) * 0x100000001b3u;
    random |= 1;
    for (size_t i = 0; i < changes; i++) {
        memcpy(changed, data, size);
        size_t changed_size = size;
        for (size_t edits = 1 + next_random(&random) % MOST_EDITS; edits > 0; edits--)
            changed_size = edit(changed, changed_size, &random);
        call(changed, changed_size);
    }
    free(changed);
}

static void replay_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        fail("cannot read", path);
    long size = ftell(file);
    rewind(file);
    uint8_t *data = malloc((size_t)size + 1);
    if (size < 0 || !data || fread(data, 1, (size_t)size, file) != (size_t)size)
        fail("cannot read", path);
    fclose(file);
    replay_bytes(data, (size_t)size);
    free(data);
}

static void replay(const char *path) {
    DIR *folder = opendir(path);
    if (!folder) {
        replay_file(path);
        return;
    }
    char inside[4096];
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        if (entry->d_name[0] == '.')
            continue;
        if ((size_t)snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name) >= sizeof inside)
            fail("name too long", entry->d_name);
        replay_file(inside);
    }
    closedir(folder);
}

int main(int argc, char **argv) {
    watch_for_crashes();
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("%zu inputs\n", calls);
    if (calls == 0)
        fail("no input given", "replay");
    return 0;
}
