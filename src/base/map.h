/* map.h: hash map from strings or 64-bit keys to pointers; insertion ordered when walked, so that
 * output made from a walk is deterministic. Keys are borrowed and must outlive the map.
 * Thread-compatible. */
#ifndef TN_BASE_MAP_H
#define TN_BASE_MAP_H

#include "base/str.h"

typedef struct tn_map_entry {
    tn_str key;    /* string maps */
    uint64_t code; /* the key of u64 maps; the hash of string maps */
    void *value;
} tn_map_entry;

typedef struct tn_map {
    tn_allocator allocator;
    tn_map_entry *entries; /* in insertion order */
    uint32_t *slots;       /* entry index + 1; 0 is free */
    size_t count;
    size_t capacity; /* of entries; slots are twice as many */
} tn_map;

void tn_map_init(tn_map *map, tn_allocator allocator);
void tn_map_deinit(tn_map *map);
/* Sets or replaces. */
TN_MUST_USE tn_status tn_map_set(tn_map *map, tn_str key, void *value);
TN_MUST_USE tn_status tn_map_set_u64(tn_map *map, uint64_t key, void *value);
/* NULL when absent. */
void *tn_map_get(const tn_map *map, tn_str key);
void *tn_map_get_u64(const tn_map *map, uint64_t key);
bool tn_map_has(const tn_map *map, tn_str key);

uint64_t tn_hash_bytes(const void *bytes, size_t len, uint64_t seed);

#endif
