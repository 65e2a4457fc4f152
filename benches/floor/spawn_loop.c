/* The floor of starting many: the least that starts them one after the other.
 *
 * spawn_loop N PROGRAM ARG…: starts N of PROGRAM, then waits until it is
 * killed, as their parent. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    for (int left = atoi(argv[1]); left > 0; left--) {
        pid_t child = vfork();
        if (child < 0) return 3;
        if (child == 0) {
            execv(argv[2], argv + 2);
            _exit(127);
        }
    }
    for (;;) pause();
}
