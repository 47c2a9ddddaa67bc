/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * remote.c — certificates are read once. The handshake runs in threads of nng: a client that dawdles in it
 * holds a descriptor for ten seconds, and nothing of ours.
 */
#include "controlplane/controld/remote.h"

#include <errno.h>
#include <nng/supplemental/tls/tls.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"

#define PEM_BYTES (64u << 10) /* of a file: a chain of certificates, or several authorities */

/* The file in `pem`. 0 or an nng error after one ERROR line. */
static int read_pem(const char *path, const char *key, char pem[PEM_BYTES])
{
    ssize_t n = fd_read_text(path, pem, PEM_BYTES);

    if (n >= 0)
        return 0;
    log_error("remote_failed key=%s file=%s error=\"%s\"", key, path, strerror((int)-n));
    return n == -ENOENT ? NNG_ENOENT : NNG_EPERM;
}

static int refuse(const char *key, const char *path, int error)
{
    log_error("remote_failed key=%s file=%s error=\"%s\" hint=\"is it PEM, and do key and certificate belong "
              "together?\"",
              key, path, nng_strerror(error));
    return error;
}

/* What the server shows, and whom it believes. 0 or an nng error after one ERROR line. */
static int tls_fill(nng_tls_config *tls, const struct config_control *config)
{
    static char cert[PEM_BYTES], key[PEM_BYTES], ca[PEM_BYTES];
    int error;

    if ((error = read_pem(config->tls_cert, "control.tls_cert", cert)) != 0 ||
        (error = read_pem(config->tls_key, "control.tls_key", key)) != 0 ||
        (error = read_pem(config->tls_ca, "control.tls_ca", ca)) != 0)
        return error;
    error = nng_tls_config_own_cert(tls, cert, key, NULL);
    explicit_bzero(key, sizeof(key));
    if (error != 0)
        return refuse("control.tls_key", config->tls_key, error);
    error = nng_tls_config_ca_chain(tls, ca, NULL);
    if (error != 0)
        return refuse("control.tls_ca", config->tls_ca, error);
    return nng_tls_config_auth_mode(tls, NNG_TLS_AUTH_MODE_REQUIRED);
}

int remote_listen(nng_socket socket, const struct config_control *config, int *listener_id)
{
    char url[CONFIG_LISTEN_BYTES + 16];
    nng_tls_config *tls;
    nng_listener listener;
    int error;

    *listener_id = 0;
    if (config_listen_is_off(config->remote))
        return 0;
    /* To look at dates of certificates, the library asks for the time of day: that reads a file at first. */
    tzset();
    error = nng_tls_config_alloc(&tls, NNG_TLS_MODE_SERVER);
    if (error != 0)
        return error;
    error = tls_fill(tls, config);
    snprintf(url, sizeof(url), "tls+tcp://%s", config->remote);
    if (error == 0 && (error = nng_listener_create(&listener, socket, url)) == 0 &&
        (error = nng_listener_set_ptr(listener, NNG_OPT_TLS_CONFIG, tls)) == 0) {
        /* Before the first connection is judged by it. */
        *listener_id = nng_listener_id(listener);
        error = nng_listener_start(listener, 0);
    }
    nng_tls_config_free(tls);
    if (error == 0) {
        log_info("remote_open address=%s role=%s", config->remote, config->remote_role);
    } else {
        log_error("remote_failed address=%s error=\"%s\"", config->remote, nng_strerror(error));
    }
    return error;
}
