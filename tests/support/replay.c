/* SPDX-License-Identifier: BSD-3-Clause */
/* replay.c — runs every file of a fuzz corpus through its target once: the fuzzer's finds as a unit test. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define REPLAY_MAX_BYTES (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *folder, const char *name, uint8_t *buffer)
{
    char path[1024];
    FILE *file;
    size_t size;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "rb");
    if (file == NULL)
        return -1;
    size = fread(buffer, 1, REPLAY_MAX_BYTES, file);
    fclose(file);
    /* An exact allocation, so that a sanitizer sees a read past the end. */
    uint8_t *input = malloc(size == 0 ? 1 : size);
    if (input == NULL)
        return -1;
    for (size_t i = 0; i < size; i++)
        input[i] = buffer[i];
    LLVMFuzzerTestOneInput(input, size);
    free(input);
    return 0;
}

int main(int argc, char **argv)
{
    uint8_t *buffer = malloc(REPLAY_MAX_BYTES);
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    unsigned n_files = 0;

    if (buffer == NULL || folder == NULL) {
        fprintf(stderr, "usage: %s CORPUS_FOLDER (a folder that exists)\n", argv[0]);
        return EXIT_FAILURE;
    }
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] != '.' && replay_file(argv[1], entry->d_name, buffer) == 0)
            n_files++;
    }
    closedir(folder);
    free(buffer);
    printf("%u inputs replayed\n", n_files);
    return n_files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
