#include "tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what, const char *name) {
    fprintf(stderr, "%s: %s\n", name, what);
    exit(2);
}

File read_file(const char *folder, const char *name) {
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        fail("path is too long", name);
    FILE *opened = fopen(path, "rb");
    if (!opened) fail("cannot be opened", path);
    fseek(opened, 0, SEEK_END);
    long size = ftell(opened);
    char *bytes = size > 0 ? malloc((size_t)size) : NULL;
    rewind(opened);
    if (!bytes || fread(bytes, 1, (size_t)size, opened) != (size_t)size)
        fail("cannot be read", path);
    fclose(opened);
    return (File){bytes, (size_t)size};
}

/* The numbers in "[1,2,3]" after `key`; returns how many there are. */
static size_t numbers_after(const char *entry, const char *key, int64_t *found, size_t most) {
    const char *at = strstr(entry, key);
    size_t count = 0;
    if (!at) return 0;
    at += strlen(key);
    while (*at != ']' && count < most) {
        char *end;
        found[count++] = strtoll(at, &end, 10);
        if (end == at) return 0;
        at = *end == ',' ? end + 1 : end;
    }
    return count;
}

/* A copy of the header, which the caller frees; `name` is what is looked for. */
static char *header_of(File file, const char *name, uint64_t *length) {
    *length = 0;
    if (file.size < 8) fail("is cut off", name);
    for (int byte = 7; byte >= 0; byte--) *length = *length << 8 | (unsigned char)file.bytes[byte];
    if (*length > file.size - 8) fail("is cut off", name);
    char *header = malloc(*length + 1);
    if (!header) fail("no memory", name);
    memcpy(header, file.bytes + 8, *length);
    header[*length] = '\0';
    return header;
}

static char *entry_of(char *header, const char *name) {
    char key[128];
    snprintf(key, sizeof key, "\"%s\":{", name);
    return strstr(header, key);
}

int holds_tensor(File file, const char *name) {
    uint64_t length;
    char *header = header_of(file, name, &length);
    int holds = entry_of(header, name) != NULL;
    free(header);
    return holds;
}

Tensor find_tensor(File file, const char *name, const char *kind) {
    char dtype[32];
    uint64_t length;
    int64_t offsets[2];
    Tensor found = {0};
    char *header = header_of(file, name, &length);
    snprintf(dtype, sizeof dtype, "\"dtype\":\"%s\"", kind);
    char *entry = entry_of(header, name);
    char *end = entry ? strchr(entry, '}') : NULL;
    if (!end) fail("is not in the file", name);
    *end = '\0';
    if (!strstr(entry, dtype)) fail("is of another type", name);
    found.axes = numbers_after(entry, "\"shape\":[", found.shape, MOST_AXES);
    if (found.axes == 0 || found.shape[found.axes - 1] < 1) fail("holds nothing", name);
    if (numbers_after(entry, "\"data_offsets\":[", offsets, 2) != 2) fail("has no place", name);
    free(header);

    uint64_t room = file.size - 8 - length;
    if (offsets[0] < 0 || offsets[1] < offsets[0] || (uint64_t)offsets[1] > room)
        fail("is cut off", name);
    found.numbers = file.bytes + 8 + length + offsets[0];
    found.size = (size_t)(offsets[1] - offsets[0]);
    size_t wanted = strcmp(kind, "I64") == 0 ? 8 : 4;
    for (size_t axis = 0; axis < found.axes; axis++) wanted *= (size_t)found.shape[axis];
    if (wanted != found.size) fail("has another size than its shape", name);
    return found;
}
