/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control_gate.c — fuzz target: any bytes as a request to mpa-controld. The first byte is the role. Each is
 * passed or refused with code, text and field; nothing passes that the role may not, nor the same change
 * twice.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/controld/gate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct gate *gate, const struct gate_input *input, bool is_second)
{
    struct gate_refusal refusal;
    Mpa__V1__Request *request = gate_pass(gate, input, &refusal);

    if (request == NULL) {
        if (refusal.code == MPA__V1__ERROR_CODE__ERROR_CODE_NONE || refusal.text[0] == '\0' ||
            refusal.field == NULL || refusal.field[0] == '\0')
            abort();
        return;
    }
    if (input->role < access_needed(request->body_case))
        abort();
    if (is_second && access_is_decided((uint32_t)request->body_case) &&
        access_needed(request->body_case) == ACCESS_ADMIN)
        abort();
    if (input->role != ACCESS_ADMIN && request->base.n_unknown_fields != 0)
        abort();
    mpa__v1__request__free_unpacked(request, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct gate gate;
    struct gate_input input = {.connection = 1, .came_ns = 1, .now_ns = 1};

    if (size == 0)
        return 0;
    memset(&gate, 0, sizeof(gate));
    input.role = (enum access_role)(data[0] % 3);
    input.bytes = data + 1;
    input.size = size - 1;
    check(&gate, &input, false);
    check(&gate, &input, true);
    return 0;
}
