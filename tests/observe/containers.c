/* What container_words says: containers PATH SPOOL ARGV... with the environment as it is; prints the way and one assignment a line. */
#include "containers.h"

#include <stdio.h>

extern char **environ;

int main(int argc, char **argv) {
    static const char *const ways[] = {"none", "carried", "dark"};
    struct container_words words;
    if (argc < 4) return 2;
    struct container_run run = {argv[1], argv + 3, environ, "1:3:7::", argv[2]};
    puts(ways[container_words(&run, &words)]);
    for (size_t i = 0; i < words.count; i++) puts(words.add[i]);
    return 0;
}
