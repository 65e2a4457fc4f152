/* Writes lines of 100 bytes, each with its number, in blocks as stdio would,
   and ends. Begins when somebody opens the other end of the FIFO.
   firehose LINES FIFO */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 100, LINES = 655 };

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    long lines = atol(argv[1]);
    int fifo = open(argv[2], O_RDONLY);
    if (fifo < 0) return 3;
    static char block[LINE * LINES + 1];
    for (long next = 0; next < lines;) {
        long here = lines - next < LINES ? lines - next : LINES;
        for (long i = 0; i < here; i++) {
            char *line = block + i * LINE;
            int head = sprintf(line, "%012ld ", next + i);
            memset(line + head, 'x', LINE - 1 - head);
            line[LINE - 1] = '\n';
        }
        next += here;
        for (long done = 0, all = here * LINE; done < all;) {
            long written = write(1, block + done, all - done);
            if (written < 0) return 4;
            done += written;
        }
    }
    return 0;
}
