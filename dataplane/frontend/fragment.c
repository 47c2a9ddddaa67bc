/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fragment.c — cuts a datagram for a link with a smaller MTU. The payload is never copied: each fragment is a
 * header made here and a borrowed piece of the payload.
 *
 * IPv4 (RFC 791): the first fragment carries all options, the later ones only those whose "copied" bit is
 * set, padded to a multiple of four. IPv6 (RFC 8200 4.5): the unfragmentable part (the fixed header,
 * hop-by-hop, destination options before a routing header, and the routing header) stands in every fragment,
 * then a fragment header; the extension headers behind it are payload and stand in the first fragment only.
 */
#include "frontend/fragment.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "frontend/wire.h"

#define IP4_MAX_HEADER_BYTES 60u
#define IP4_OPTION_END 0u
#define IP4_OPTION_NOP 1u
#define IP4_OPTION_COPIED 0x80u

#define IP6_NEXT_HOP_BY_HOP 0u
#define IP6_NEXT_ROUTING 43u
#define IP6_NEXT_FRAGMENT 44u
#define IP6_NEXT_DESTINATION 60u
#define IP6_MAX_HEADER_BYTES 512u

#define MAX_DATAGRAM_BYTES 65535u
#define UNIT_BYTES 8u /* fragment offsets count these */

/* A cut in progress. `first` and `later` are header templates; lengths and offsets are filled in for each. */
struct cut {
    const struct fragment_job *job;
    fragment_emit_fn *emit;
    void *context;
    uint8_t first[IP6_MAX_HEADER_BYTES];
    uint8_t later[IP6_MAX_HEADER_BYTES];
    uint32_t first_len;
    uint32_t later_len;
    uint32_t extension_len; /* IPv6: extension headers of the job that are payload of the first fragment */
    uint32_t fragment_off;  /* IPv6: of the fragment header in both templates */
};

/* Copies the options that belong in every fragment; false when an option's length is not valid. */
static bool copy_options(struct cut *cut, const uint8_t *options, uint32_t options_len)
{
    uint32_t off = 0;
    uint32_t len = WIRE_IP4_BYTES;

    while (off < options_len && options[off] != IP4_OPTION_END) {
        uint32_t size = 1;

        if (options[off] != IP4_OPTION_NOP) {
            size = off + 1 < options_len ? options[off + 1] : 0;
            if (size < 2 || size > options_len - off)
                return false;
        }
        if ((options[off] & IP4_OPTION_COPIED) != 0) {
            memcpy(cut->later + len, options + off, size);
            len += size;
        }
        off += size;
    }
    while (len % 4 != 0)
        cut->later[len++] = IP4_OPTION_END;
    cut->later_len = len;
    return true;
}

/* Checks the header and makes both templates; DF last, so that a broken header is called broken. */
static int prepare4(struct cut *cut)
{
    const struct fragment_job *job = cut->job;
    uint32_t header_len = job->header_len;
    uint32_t place;

    if (header_len < WIRE_IP4_BYTES || header_len > IP4_MAX_HEADER_BYTES ||
        header_len != (job->header[0] & 0x0fu) * 4u || job->payload_len > MAX_DATAGRAM_BYTES - header_len)
        return -EINVAL;
    place = wire_get16(job->header + WIRE_IP4_FRAGMENT_OFF) & WIRE_IP4_OFFSET_MASK;
    if (place * UNIT_BYTES + job->payload_len > MAX_DATAGRAM_BYTES - header_len)
        return -EINVAL;
    memcpy(cut->first, job->header, header_len);
    memcpy(cut->later, job->header, WIRE_IP4_BYTES);
    cut->first_len = header_len;
    if (!copy_options(cut, job->header + WIRE_IP4_BYTES, header_len - WIRE_IP4_BYTES))
        return -EINVAL;
    cut->later[0] = (uint8_t)(0x40u | cut->later_len / 4);
    if ((wire_get16(job->header + WIRE_IP4_FRAGMENT_OFF) & WIRE_IP4_DF) != 0)
        return -EMSGSIZE;
    return 0;
}

/* Emits one IPv4 fragment; `off` in bytes of the payload. */
static void emit4(const struct cut *cut, uint32_t off, uint32_t len, bool is_last)
{
    const uint8_t *template = off == 0 ? cut->first : cut->later;
    uint32_t header_len = off == 0 ? cut->first_len : cut->later_len;
    /* A datagram that arrives here may itself be a fragment: its offset and MF count on. */
    uint32_t base = wire_get16(cut->job->header + WIRE_IP4_FRAGMENT_OFF);
    uint32_t place = (base & WIRE_IP4_OFFSET_MASK) + off / UNIT_BYTES;
    uint8_t header[IP4_MAX_HEADER_BYTES];
    struct fragment fragment = {header, header_len, cut->job->payload + off, len};

    if (!is_last || (base & WIRE_IP4_MF) != 0)
        place |= WIRE_IP4_MF;
    memcpy(header, template, header_len);
    wire_put16(header + WIRE_IP4_LENGTH_OFF, header_len + len);
    wire_put16(header + WIRE_IP4_ID_OFF, cut->job->identification & 0xffffu);
    wire_put16(header + WIRE_IP4_FRAGMENT_OFF, place);
    wire_ip4_set_checksum(header, header_len);
    cut->emit(cut->context, &fragment);
}

/* Every fragment but the last is filled to the last multiple of eight below the MTU. */
static int cut4(const struct cut *cut)
{
    const struct fragment_job *job = cut->job;
    uint32_t off = 0;
    int n_fragments = 0;

    /* Checked before anything is emitted: both headers must leave room for one unit. */
    if (job->mtu_bytes < cut->first_len + UNIT_BYTES || job->mtu_bytes < cut->later_len + UNIT_BYTES)
        return -EMSGSIZE;
    do {
        uint32_t header_len = off == 0 ? cut->first_len : cut->later_len;
        uint32_t rest = job->payload_len - off;
        uint32_t room = job->mtu_bytes - header_len;
        bool is_last = rest <= room;
        uint32_t len = is_last ? rest : room - room % UNIT_BYTES;

        emit4(cut, off, len, is_last);
        off += len;
        n_fragments++;
    } while (off < job->payload_len);
    return n_fragments;
}

/*
 * Finds the end of the unfragmentable part and the next-header byte that will name the fragment header.
 * Returns false when the chain is not valid or has a fragment header already.
 */
static bool split6(const struct fragment_job *job, uint32_t *unfragmentable_len, uint32_t *next_off)
{
    uint32_t off = WIRE_IP6_BYTES;
    uint32_t name_off = WIRE_IP6_NEXT_OFF; /* the byte that names the header at `off` */

    *unfragmentable_len = WIRE_IP6_BYTES;
    *next_off = WIRE_IP6_NEXT_OFF;
    while (off < job->header_len) {
        uint8_t kind = job->header[name_off];
        uint32_t size;

        if (kind == IP6_NEXT_FRAGMENT)
            return false;
        if (kind != IP6_NEXT_HOP_BY_HOP && kind != IP6_NEXT_ROUTING && kind != IP6_NEXT_DESTINATION)
            return true; /* something of the transport: it belongs to the fragmentable part */
        if (job->header_len - off < UNIT_BYTES)
            return false;
        size = (job->header[off + 1] + 1u) * 8u;
        if (size > job->header_len - off)
            return false;
        name_off = off;
        off += size;
        /* Destination options count only when a routing header follows, which this loop then sees. */
        if (kind != IP6_NEXT_DESTINATION) {
            *unfragmentable_len = off;
            *next_off = name_off;
        }
    }
    return true;
}

/*
 * Makes both templates. In the first the headers that are payload follow the fragment header, so that its
 * fragment needs no third piece.
 */
static int prepare6(struct cut *cut)
{
    const struct fragment_job *job = cut->job;
    uint32_t split_len;
    uint32_t next_off;
    uint8_t *fragment_header;

    if (job->header_len < WIRE_IP6_BYTES ||
        job->header_len > IP6_MAX_HEADER_BYTES - WIRE_IP6_FRAGMENT_BYTES ||
        job->payload_len > MAX_DATAGRAM_BYTES - (job->header_len - WIRE_IP6_BYTES))
        return -EINVAL;
    if (!split6(job, &split_len, &next_off))
        return -EINVAL;
    cut->fragment_off = split_len;
    cut->extension_len = job->header_len - split_len;
    memcpy(cut->first, job->header, split_len);
    fragment_header = cut->first + split_len;
    fragment_header[0] = job->header[next_off];
    fragment_header[1] = 0;
    wire_put32(fragment_header + 4, job->identification);
    cut->first[next_off] = IP6_NEXT_FRAGMENT;
    cut->later_len = split_len + WIRE_IP6_FRAGMENT_BYTES;
    memcpy(cut->later, cut->first, cut->later_len);
    memcpy(cut->first + cut->later_len, job->header + split_len, cut->extension_len);
    cut->first_len = cut->later_len + cut->extension_len;
    return 0;
}

/* Emits one IPv6 fragment; `off` in bytes of the fragmentable part, `len` of the payload it carries. */
static void emit6(struct cut *cut, uint32_t off, uint32_t len, bool is_last)
{
    uint8_t *header = off == 0 ? cut->first : cut->later;
    uint32_t header_len = off == 0 ? cut->first_len : cut->later_len;
    uint32_t payload_off = off == 0 ? 0 : off - cut->extension_len;
    struct fragment fragment = {header, header_len, cut->job->payload + payload_off, len};

    wire_put16(header + WIRE_IP6_LENGTH_OFF, header_len - WIRE_IP6_BYTES + len);
    wire_put16(header + cut->fragment_off + 2, off | (is_last ? 0u : 1u));
    cut->emit(cut->context, &fragment);
}

/*
 * Offsets count the fragmentable part: in the first fragment that begins with the extension headers, which
 * must all fit (RFC 7112), hence the check against first_len.
 */
static int cut6(struct cut *cut)
{
    const struct fragment_job *job = cut->job;
    uint32_t total_len = cut->extension_len + job->payload_len; /* of the fragmentable part */
    uint32_t off = 0;
    int n_fragments = 0;

    if (job->mtu_bytes < cut->first_len + UNIT_BYTES)
        return -EMSGSIZE;
    do {
        uint32_t room = job->mtu_bytes - cut->later_len;
        uint32_t rest = total_len - off;
        bool is_last = rest <= room;
        uint32_t len = is_last ? rest : room - room % UNIT_BYTES;

        emit6(cut, off, off == 0 ? len - cut->extension_len : len, is_last);
        off += len;
        n_fragments++;
    } while (off < total_len);
    return n_fragments;
}

int fragment_packet(const struct fragment_job *job, fragment_emit_fn *emit, void *context)
{
    struct cut cut = {.job = job, .emit = emit, .context = context};
    bool is_ip4;
    int result;

    if (job->header_len == 0)
        return -EINVAL;
    is_ip4 = job->header[0] >> 4 == 4;
    if (!is_ip4 && job->header[0] >> 4 != 6)
        return -EINVAL;
    result = is_ip4 ? prepare4(&cut) : prepare6(&cut);
    if (result != 0)
        return result;
    return is_ip4 ? cut4(&cut) : cut6(&cut);
}
