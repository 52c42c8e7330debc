/* Arrays out of a .safetensors file: 8 bytes of length, a JSON header of that length, the numbers.
 *
 * Enough for files that `bwalloc verify` found right: names are known, and nothing is escaped. */
#ifndef TENSORS_H
#define TENSORS_H

#include <stddef.h>
#include <stdint.h>

#define MOST_AXES 8

typedef struct {
    const char *bytes;
    size_t size;
} File;

typedef struct {
    int64_t shape[MOST_AXES];
    size_t axes;
    const char *numbers; /* little-endian, the last axis fastest; not aligned */
    size_t size;         /* in bytes */
} Tensor;

/* The whole file; ends the program if it cannot be read. */
File read_file(const char *folder, const char *name);

/* Whether there is an array of that name. */
int holds_tensor(File file, const char *name);

/* The array of that name and kind ("F32" or "I64"); ends the program if there is none. */
Tensor find_tensor(File file, const char *name, const char *kind);

#endif
