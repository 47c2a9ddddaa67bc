/* SPDX-License-Identifier: BSD-3-Clause */
/* remote.c — TLS with certificates on both sides, and what can be wrong with them in one line of text. */
#include "controlplane/mpactl/remote.h"

#include <nng/supplemental/tls/tls.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"

#define PEM_BYTES (64u << 10)

static int read_pem(const char *path, const char *option, char pem[PEM_BYTES])
{
    ssize_t n;

    if (path == NULL)
        return mpactl_fail(MPACTL_USAGE, "--remote needs --tls-cert, --tls-key and --tls-ca: %s is missing",
                           option);
    n = fd_read_text(path, pem, PEM_BYTES);
    return n >= 0 ? MPACTL_OK : mpactl_fail(MPACTL_FAILED, "%s %s: %s", option, path, strerror((int)-n));
}

/* The certificates into `tls`. */
static int tls_fill(nng_tls_config *tls, const struct mpactl *mpactl)
{
    static char cert[PEM_BYTES], key[PEM_BYTES], ca[PEM_BYTES];
    int exit_code, error;

    if ((exit_code = read_pem(mpactl->tls_cert, "--tls-cert", cert)) != MPACTL_OK ||
        (exit_code = read_pem(mpactl->tls_key, "--tls-key", key)) != MPACTL_OK ||
        (exit_code = read_pem(mpactl->tls_ca, "--tls-ca", ca)) != MPACTL_OK)
        return exit_code;
    error = nng_tls_config_own_cert(tls, cert, key, NULL);
    if (error != 0)
        return mpactl_fail(MPACTL_FAILED, "--tls-cert %s, --tls-key %s: not PEM, or not of one another (%s)",
                           mpactl->tls_cert, mpactl->tls_key, nng_strerror(error));
    error = nng_tls_config_ca_chain(tls, ca, NULL);
    if (error != 0)
        return mpactl_fail(MPACTL_FAILED, "--tls-ca %s: no certificate in PEM (%s)", mpactl->tls_ca,
                           nng_strerror(error));
    return MPACTL_OK;
}

/* HOST of HOST:PORT or [HOST]:PORT; false when it is neither. */
static bool host_of(const char *remote, char *host, size_t size)
{
    const char *colon = strrchr(remote, ':');
    const char *first = remote[0] == '[' ? remote + 1 : remote;
    size_t length;

    if (colon == NULL || colon == remote || colon[1] == '\0')
        return false;
    length = (size_t)(colon - first);
    if (remote[0] == '[') {
        if (colon[-1] != ']')
            return false;
        length--;
    }
    return length > 0 && snprintf(host, size, "%.*s", (int)length, first) < (int)size;
}

static int dial_failed(const struct mpactl *mpactl, const char *name, int error)
{
    switch (error) {
    case NNG_ECONNREFUSED:
    case NNG_EADDRINVAL:
    case NNG_EUNREACHABLE:
    case NNG_ETIMEDOUT:
        return mpactl_fail(MPACTL_NO_DAEMON, "%s: no mpa-controld answers there (%s); is control.remote set?",
                           mpactl->remote, nng_strerror(error));
    default:
        /* The library does not tell whose certificate it was. */
        return mpactl_fail(MPACTL_FAILED,
                           "%s: the TLS handshake failed (%s): is --tls-cert signed by control.tls_ca there, "
                           "its certificate by --tls-ca and for the name '%s', and has neither expired?",
                           mpactl->remote, nng_strerror(error), name);
    }
}

int remote_dial(nng_socket socket, const struct mpactl *mpactl)
{
    char url[288], host[256];
    const char *name;
    nng_tls_config *tls;
    nng_dialer dialer;
    int exit_code, error;

    name = mpactl->tls_name == NULL ? host : mpactl->tls_name;
    if (!host_of(mpactl->remote, host, sizeof(host)))
        return mpactl_fail(MPACTL_USAGE, "--remote %s: not HOST:PORT", mpactl->remote);
    snprintf(url, sizeof(url), "tls+tcp://%s", mpactl->remote);
    error = nng_tls_config_alloc(&tls, NNG_TLS_MODE_CLIENT);
    if (error != 0)
        return mpactl_fail(MPACTL_FAILED, "cannot use TLS: %s", nng_strerror(error));
    exit_code = tls_fill(tls, mpactl);
    if (exit_code == MPACTL_OK && ((error = nng_tls_config_server_name(tls, name)) != 0 ||
                                   (error = nng_tls_config_auth_mode(tls, NNG_TLS_AUTH_MODE_REQUIRED)) != 0 ||
                                   (error = nng_dialer_create(&dialer, socket, url)) != 0 ||
                                   (error = nng_dialer_set_ptr(dialer, NNG_OPT_TLS_CONFIG, tls)) != 0 ||
                                   (error = nng_dialer_start(dialer, 0)) != 0))
        exit_code = dial_failed(mpactl, name, error);
    nng_tls_config_free(tls);
    return exit_code;
}
