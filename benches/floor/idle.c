/* An instance that does nothing, as small as a program can be. */
#include <unistd.h>

int main(void) {
    for (;;) pause();
}
