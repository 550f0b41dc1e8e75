#define _GNU_SOURCE
#include "clinuxnet.h"

#include <sys/stat.h>

int clinuxnet_file_state(const char *path, struct clinuxnet_file_state *state) {
    struct stat status;
    if (stat(path, &status) < 0) return 0;
    state->node = status.st_ino;
    state->size = status.st_size;
    state->seconds = status.st_mtim.tv_sec;
    state->nanoseconds = status.st_mtim.tv_nsec;
    return 1;
}
