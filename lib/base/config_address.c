/* SPDX-License-Identifier: BSD-3-Clause */
/* config_address.c — addresses between text and bytes. Stricter than most: what is accepted is unambiguous.
 */
#include "base/config_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* One to three decimal digits, nothing else: strtoul() would take signs, blanks and other bases. */
static int parse_prefix(const char *text, unsigned max_bits, uint8_t *prefix_bits)
{
    unsigned value = 0;
    size_t n_digits = strspn(text, "0123456789");

    if (n_digits == 0 || n_digits > 3 || text[n_digits] != '\0')
        return -EINVAL;
    for (size_t i = 0; i < n_digits; i++)
        value = value * 10 + (unsigned)(text[i] - '0');
    if (value > max_bits)
        return -EINVAL;
    *prefix_bits = (uint8_t)value;
    return 0;
}

/* inet_pton() takes neither "10.1" nor "010.0.0.1" nor a zone index, which inet_aton() and getaddrinfo() read
 * in ways that differ between systems. */
int config_address_parse(const char *text, struct config_address *address)
{
    struct config_address parsed = {0};
    char host[INET6_ADDRSTRLEN];
    const char *slash = strchrnul(text, '/');
    const size_t length = (size_t)(slash - text);

    if (length >= sizeof(host))
        return -EINVAL;
    memcpy(host, text, length);
    host[length] = '\0';
    if (inet_pton(AF_INET, host, parsed.bytes) == 1)
        parsed.family = 4;
    else if (inet_pton(AF_INET6, host, parsed.bytes) == 1)
        parsed.family = 6;
    else
        return -EINVAL;
    parsed.prefix_bits = parsed.family == 4 ? 32 : 128;
    if (*slash == '/' && parse_prefix(slash + 1, parsed.prefix_bits, &parsed.prefix_bits) < 0)
        return -EINVAL;
    *address = parsed;
    return 0;
}

/* The brackets of an IPv6 address keep its colons from that of the port (RFC 3986 3.2.2). */
int config_listen_parse(const char *text, struct config_listen *listen)
{
    struct config_listen parsed = {0};
    const char *colon = strrchr(text, ':');
    bool is_bracketed = text[0] == '[';
    char host[INET6_ADDRSTRLEN];
    size_t length, n_digits;
    unsigned port = 0;

    if (colon == NULL || (is_bracketed && (colon - text < 2 || colon[-1] != ']')))
        return -EINVAL;
    length = (size_t)(colon - text) - (is_bracketed ? 2 : 0);
    n_digits = strspn(colon + 1, "0123456789");
    if (length >= sizeof(host) || n_digits == 0 || n_digits > 5 || colon[1 + n_digits] != '\0')
        return -EINVAL;
    memcpy(host, text + is_bracketed, length);
    host[length] = '\0';
    for (size_t i = 1; i <= n_digits; i++)
        port = port * 10 + (unsigned)(colon[i] - '0');
    if (port == 0 || port > UINT16_MAX || strchr(host, '/') != NULL ||
        config_address_parse(host, &parsed.address) != 0 || (parsed.address.family == 6) != is_bracketed)
        return -EINVAL;
    parsed.port = (uint16_t)port;
    *listen = parsed;
    return 0;
}

bool config_listen_is_off(const char *text)
{
    return strcmp(text, "off") == 0;
}

/* inet_ntop() writes IPv6 in the form of RFC 5952, so equal addresses have equal texts. */
void config_address_format(const struct config_address *address, char *text, size_t size)
{
    char host[INET6_ADDRSTRLEN];

    if (address->family == 0 ||
        inet_ntop(address->family == 4 ? AF_INET : AF_INET6, address->bytes, host, sizeof(host)) == NULL)
        snprintf(text, size, "none");
    else
        snprintf(text, size, "%s/%u", host, address->prefix_bits);
}

/* Value of a hexadecimal digit of either case, -1 for any other byte. */
static int hex_digit(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *found;

    if (digit >= 'A' && digit <= 'F')
        digit = (char)(digit - 'A' + 'a');
    found = digit == '\0' ? NULL : strchr(digits, digit);
    return found == NULL ? -1 : (int)(found - digits);
}

/* Six pairs and five colons, nothing shorter: "2:4d:..." is what some tools print, but a typing mistake as
 * often. */
int config_mac_parse(const char *text, uint8_t mac[6])
{
    uint8_t parsed[6];

    if (strlen(text) != 17)
        return -EINVAL;
    for (size_t i = 0; i < 6; i++) {
        const char *byte = text + 3 * i;
        const int high = hex_digit(byte[0]);
        const int low = hex_digit(byte[1]);

        if (high < 0 || low < 0 || byte[2] != (i < 5 ? ':' : '\0'))
            return -EINVAL;
        parsed[i] = (uint8_t)(high << 4 | low);
    }
    memcpy(mac, parsed, sizeof(parsed));
    return 0;
}
