/* A client: whatever a server sends and the caller does, what h2_play_check.c says stays true. */
#include "fuzz.h"

#include "h2_play.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    h2_play(H2_CLIENT, data, size);
    return 0;
}
