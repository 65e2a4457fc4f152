/* Writes COUNT records of BYTES into FILE, each at its place with one pwrite and one fdatasync. The file has been written
   and synced before, as a log with segments made ahead has. Prints mean, p50 and p99 of a record in nanoseconds. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int by_size(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    size_t bytes = strtoul(argv[2], 0, 10), count = strtoul(argv[3], 0, 10);
    int file = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
    char *zeros = calloc(count, bytes), *record = malloc(bytes);
    uint64_t *times = calloc(count, sizeof *times), sum = 0;
    if (!count || file < 0 || !zeros || !record || !times) return 1;
    if (pwrite(file, zeros, count * bytes, 0) != (ssize_t)(count * bytes) || fsync(file)) return 1;
    for (size_t i = 0; i < count; i++) {
        memset(record, 'a' + (int)(i % 26), bytes);
        uint64_t began = now();
        if (pwrite(file, record, bytes, (off_t)(i * bytes)) != (ssize_t)bytes || fdatasync(file)) return 1;
        sum += times[i] = now() - began;
    }
    qsort(times, count, sizeof *times, by_size);
    printf("%llu %llu %llu\n", (unsigned long long)(sum / count), (unsigned long long)times[count / 2],
           (unsigned long long)times[count - 1 - count / 100]);
    return 0;
}
