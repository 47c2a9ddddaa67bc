/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * access.h — who may ask what: a role for whoever asks, and a table role × command in which a command that
 * has no line is the admin's alone. A table of constants and pure functions but for access_init().
 */
#ifndef MPA_CONTROLD_ACCESS_H
#define MPA_CONTROLD_ACCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "mpa/v1/control.pb-c.h"

#include "base/assert.h"
#include "base/config.h"

/* In the order of what they may: each may what those before it may. */
enum access_role {
    ACCESS_NONE,  /* nothing: not named in the configuration, or not to be recognised */
    ACCESS_READ,  /* look */
    ACCESS_ADMIN, /* everything */
};

#define ACCESS_MAX_USERS 128
#define ACCESS_MAX_GROUPS 16

/* The numbers behind a list of the configuration, members of its groups included. */
struct access_list {
    uid_t uids[ACCESS_MAX_USERS];
    gid_t gids[ACCESS_MAX_GROUPS];
    uint32_t n_uids, n_gids;
};

struct access {
    uid_t own_uid;
    struct access_list admins;
    struct access_list readers;
    enum access_role remote_role; /* of whoever has a certificate of ours */
};

/* Looks the names up: while files may be opened. 0, or -errno after one ERROR line (-ENOENT: no such user or
 * group, -E2BIG: more of them than there is room for). */
int access_init(struct access *access, const struct config_control *config) MPA_WARN_UNUSED;

/* True when somebody besides root and our own user has a role: only then the sockets are open to all. */
bool access_has_guests(const struct access *access);

/* The role of a local peer, by the numbers that the kernel tells of it. */
enum access_role access_of_peer(const struct access *access, uint64_t uid, uint64_t gid);

/* The least role that a command takes. It is the admin's exactly when the command changes something, or reads
 * what the stack's users send. */
enum access_role access_needed(Mpa__V1__Request__BodyCase command);

/* "none", "read", "admin". */
const char *access_role_name(enum access_role role);

/* Name of a command, as the field of Request is called; "request" for one that we do not know. */
const char *access_command_name(Mpa__V1__Request__BodyCase command);

/* True when the table has a line for the field of that number: a unit test asks for each. */
bool access_is_decided(uint32_t command);

#endif
