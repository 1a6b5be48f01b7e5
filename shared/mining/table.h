/* shared/mining/table.h: a map from 64-bit hashes to 32-bit numbers.  Linear probing, backward-shift removal.  Private
 * to shared/mining. */
#ifndef KEDGE_SHARED_MINING_TABLE_H
#define KEDGE_SHARED_MINING_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table {
	uint64_t *keys; /* 0: free */
	uint32_t *values;
	size_t capacity, count;
};

void table_done(struct table *t);
bool table_get(const struct table *t, uint64_t key, uint32_t *ret);
bool table_put(struct table *t, uint64_t key, uint32_t value); /* replaces; false: no memory, nothing changed */
void table_remove(struct table *t, uint64_t key);

#endif
