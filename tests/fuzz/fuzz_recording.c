/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the blocks of a group, two of them: what is within compression and CRC, since no
 * mutation gets through those. What comes out can be recorded again. */
#include <zstd.h>

#include "fuzz_table.h"
#include "table/recording.h"

#define PAYLOAD_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tk_recording_frame read_block(struct tk_recording_decoder *decoder,
                                            struct tk_recording_encoder *encoder, tk_str raw,
                                            uint8_t rows, uint32_t before)
{
    static char payload[PAYLOAD_MAX]; /* of the fuzzer's one thread */
    char header[TK_RECORDING_HEADER_BYTES];
    struct tk_err err;
    struct tk_buf out;
    static struct tk_batch *batch;
    batch = batch ? batch : fuzz_batch();
    struct tk_recording_frame frame = {.kind = TK_RECORDING_BLOCK, .before = before};
    frame.table = tk_recording_table_id(fuzz_schema.name);
    frame.rows = rows;
    frame.raw_bytes = (uint32_t)raw.n;
    size_t n = ZSTD_compress(payload, sizeof(payload), raw.p, raw.n, 1);
    tk_recording_frame_encode(&frame, (tk_str){payload, n}, header);
    tk_buf_init(&out, 1 << 24);
    int rc = tk_recording_decoder_begin(decoder, &frame, (tk_str){payload, n}, &err);
    while (rc == 0) {
        tk_batch_reset(batch);
        rc = tk_recording_decoder_next(decoder, batch, &err);
        if (tk_recording_encoder_put(encoder, batch, &out, &err) < 0)
            abort();
    }
    tk_buf_release(&out);
    return frame;
}

/* Four bytes say where the second block begins and how many rows each has. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tk_recording_decoder *decoder; /* made once: a group begins anew */
    static struct tk_recording_encoder *encoder;
    struct tk_err err;
    if (size < 5 || size > PAYLOAD_MAX / 2)
        return 0;
    if (!decoder && (tk_recording_decoder_new(&fuzz_schema, &decoder, &err) < 0 ||
                     tk_recording_encoder_new(&encoder, &err) < 0))
        abort();
    tk_str text = {(const char *)data + 4, size - 4};
    size_t first = (data[0] | (size_t)data[1] << 8) % text.n;
    struct tk_recording_frame frame =
        read_block(decoder, encoder, (tk_str){text.p, first}, data[2], 0);
    (void)read_block(decoder, encoder, (tk_str){text.p + first, text.n - first}, data[3], frame.id);
    (void)tk_recording_encoder_restart(encoder);
    return 0;
}
