/* map.c: open addressing with linear probing over an array of entries kept in insertion order. The
 * slots hold entry numbers, so growing rehashes four bytes per entry and a walk never sees the
 * order of hashes. Entries are never removed. */
#include "base/map.h"

#include <string.h>

#include "base/checked.h"

enum { FIRST_CAPACITY = 16 };

/* The finaliser of MurmurHash3: every input bit reaches every output bit. */
static uint64_t mix(uint64_t h) {
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdu;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53u;
    h ^= h >> 33;
    return h;
}

uint64_t tn_hash_bytes(const void *bytes, size_t len, uint64_t seed) {
    const uint8_t *p = bytes;
    uint64_t h = mix(seed + 0x9e3779b97f4a7c15u) ^ (uint64_t)len;
    for (; len >= 8; len -= 8, p += 8) {
        /* Byte by byte, so that the hash is the same on every machine; compilers make it one
         * load. */
        uint64_t word = (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 |
                        (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 |
                        (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
        h = (h ^ word) * 0x9fb21c651e98df25u;
        h ^= h >> 32;
    }
    uint64_t tail = 0;
    for (size_t i = 0; i < len; i++)
        tail |= (uint64_t)p[i] << (8 * i);
    return mix((h ^ tail) * 0x9fb21c651e98df25u);
}

void tn_map_init(tn_map *map, tn_allocator allocator) {
    *map = (tn_map){.allocator = allocator};
}

void tn_map_deinit(tn_map *map) {
    tn_alloc_free(&map->allocator, map->entries, map->capacity * sizeof *map->entries);
    tn_alloc_free(&map->allocator, map->slots, map->capacity * 2 * sizeof *map->slots);
    *map = (tn_map){.allocator = map->allocator};
}

/* String keys and 64-bit keys share all code: a 64-bit key has a NULL string, and code is the
 * key. */
static bool matches(const tn_map_entry *entry, tn_str key, uint64_t code) {
    return entry->code == code && (!key.data || tn_str_equal(entry->key, key));
}

static uint64_t hash_of(const tn_map_entry *entry) {
    return entry->key.data ? entry->code : mix(entry->code);
}

/* The slot that holds the key, or the free slot where it would go. The map has slots. */
static size_t find_slot(const tn_map *map, tn_str key, uint64_t code) {
    size_t mask = map->capacity * 2 - 1;
    tn_map_entry wanted = {.key = key, .code = code};
    size_t slot = (size_t)hash_of(&wanted) & mask;
    while (map->slots[slot] != 0 && !matches(&map->entries[map->slots[slot] - 1], key, code))
        slot = (slot + 1) & mask;
    return slot;
}

static tn_status grow(tn_map *map) {
    size_t capacity = map->capacity ? map->capacity * 2 : FIRST_CAPACITY;
    if (capacity > UINT32_MAX / 2)
        return tn_error_out_of_memory();
    uint32_t *slots = NULL;
    TN_TRY(tn_alloc_array(&map->allocator, capacity * 2, sizeof *slots, &slots));
    tn_status status =
        tn_alloc_resize(&map->allocator, &map->entries, map->capacity * sizeof *map->entries,
                        capacity * sizeof *map->entries);
    if (status) {
        tn_alloc_free(&map->allocator, slots, capacity * 2 * sizeof *slots);
        return status;
    }
    tn_alloc_free(&map->allocator, map->slots, map->capacity * 2 * sizeof *slots);
    map->slots = slots;
    map->capacity = capacity;
    size_t mask = capacity * 2 - 1;
    for (size_t i = 0; i < map->count; i++) {
        size_t slot = (size_t)hash_of(&map->entries[i]) & mask;
        while (slots[slot] != 0)
            slot = (slot + 1) & mask;
        slots[slot] = (uint32_t)i + 1;
    }
    return NULL;
}

static tn_status set(tn_map *map, tn_str key, uint64_t code, void *value) {
    if (map->count) {
        size_t slot = find_slot(map, key, code);
        if (map->slots[slot] != 0) {
            map->entries[map->slots[slot] - 1].value = value;
            return NULL;
        }
    }
    if (map->count == map->capacity)
        TN_TRY(grow(map));
    size_t slot = find_slot(map, key, code);
    map->entries[map->count] = (tn_map_entry){.key = key, .code = code, .value = value};
    map->slots[slot] = (uint32_t)++map->count;
    return NULL;
}

static const tn_map_entry *find(const tn_map *map, tn_str key, uint64_t code) {
    if (map->count == 0)
        return NULL;
    size_t slot = find_slot(map, key, code);
    return map->slots[slot] ? &map->entries[map->slots[slot] - 1] : NULL;
}

/* An empty key may come with a NULL pointer, which would make it look like a 64-bit key. */
static tn_str string_key(tn_str key) {
    return key.data ? key : TN_STR("");
}

tn_status tn_map_set(tn_map *map, tn_str key, void *value) {
    key = string_key(key);
    return set(map, key, tn_hash_bytes(key.data, key.len, 0), value);
}

tn_status tn_map_set_u64(tn_map *map, uint64_t key, void *value) {
    return set(map, (tn_str){NULL, 0}, key, value);
}

void *tn_map_get(const tn_map *map, tn_str key) {
    key = string_key(key);
    const tn_map_entry *entry = find(map, key, tn_hash_bytes(key.data, key.len, 0));
    return entry ? entry->value : NULL;
}

void *tn_map_get_u64(const tn_map *map, uint64_t key) {
    const tn_map_entry *entry = find(map, (tn_str){NULL, 0}, key);
    return entry ? entry->value : NULL;
}

bool tn_map_has(const tn_map *map, tn_str key) {
    key = string_key(key);
    return find(map, key, tn_hash_bytes(key.data, key.len, 0)) != NULL;
}
