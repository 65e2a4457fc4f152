/* The program under test: says when its first instruction ran, then waits.
 *
 * first FIFO: writes one record { pid, CLOCK_MONOTONIC in ns } into FIFO.
 * The clock is read before anything else, so that opening does not count. */
#include <fcntl.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (argc < 2) return 2;
    uint64_t record[2] = {(uint64_t)getpid(), (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec};
    int fifo = open(argv[1], O_WRONLY | O_CLOEXEC);
    if (fifo < 0) return 3;
    if (write(fifo, record, sizeof record) != (ssize_t)sizeof record) return 4;
    close(fifo);
    for (;;) pause();
}
