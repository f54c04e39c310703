/* What kind of program a file is, before it is executed: will the observer library be loaded into it? See target.c. */
#ifndef HPCPROV_TARGET_H
#define HPCPROV_TARGET_H

#include <stdint.h>

#include "area.h"

struct target {
    uint64_t dev, ino;  /* of the file that is loaded in the end: of a script, its interpreter's */
    char path[512];     /* of that file where a script named it, else empty */
};

/* SEEN too where there is no such file: then the call to execute it fails. Never touches errno. */
enum area_blind target_inspect(const char *path, struct target *out);

#endif
