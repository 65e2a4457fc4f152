/* The floor of restarting: the least that a supervisor can do.
 *
 * restart_loop PROGRAM ARG…: starts PROGRAM, waits for its end on a pidfd,
 * reaps it, starts it again, for ever. */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    for (;;) {
        pid_t child = vfork();
        if (child < 0) return 3;
        if (child == 0) {
            execv(argv[1], argv + 1);
            _exit(127);
        }
        int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
        if (pidfd < 0) return 4;
        struct pollfd ended = {.fd = pidfd, .events = POLLIN};
        while (poll(&ended, 1, -1) != 1) {
        }
        if (waitpid(child, NULL, 0) != child) return 5;
        close(pidfd);
    }
}
